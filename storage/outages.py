"""What an error of a driver says of its database: it is away, or full, or we are wrong."""

import shutil
from pathlib import Path

from sqlalchemy.engine import ExceptionContext

from storage.errors import DatabaseFull, DatabaseUnavailable

# PostgreSQL's classes of states (connection, resources, operator, system; authorisation, unknown
# database; lost to a concurrent transaction), two states (a transaction was idle, or open, for too
# long) and SQLite's result codes that say "not now".
POSTGRESQL_STATES = ("08", "53", "57", "58", "28", "3D", "40", "55", "25P03", "25P04")
SQLITE_CODES = frozenset({5, 6, 8, 10, 13, 14, 26})  # busy locked readonly io full cantopen notadb
POSTGRESQL_FULL = "53100"
SQLITE_FULL = 13
SQLITE_IO = frozenset({10, 14})  # what a full disk is to SQLite where it makes or grows its files
FULL_BYTES = 1_000_000


def explain(place: str, context: ExceptionContext) -> None:
    """A listener of an engine: raise ``DatabaseUnavailable`` for what is an outage."""
    if context.is_pre_ping:
        return  # the pool found a dead connection, and makes a new one
    error = context.original_exception
    if not isinstance(error, Exception):
        return  # a cancelled task, whose connection is closed for it: that is no outage
    if context.is_disconnect or _says_not_now(error):
        raise unavailable(place, error) from error


def _says_not_now(error: BaseException) -> bool:
    if isinstance(error, OSError):  # also TimeoutError: a statement that took too long
        return True
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_CODES
    return str(getattr(error, "sqlstate", None) or "").startswith(POSTGRESQL_STATES)


def unavailable(place: str, error: BaseException) -> DatabaseUnavailable:
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    if _says_full(place, error):
        return DatabaseFull(f"The database at {place} has no room: {first_line}")
    return DatabaseUnavailable(f"The database at {place} is unavailable: {first_line}")


def _says_full(place: str, error: BaseException) -> bool:
    if getattr(error, "sqlstate", None) == POSTGRESQL_FULL:
        return True
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF == SQLITE_FULL:
        return code is not None
    return code & 0xFF in SQLITE_IO and _is_full(Path(place).parent)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL_BYTES
    except OSError:
        return False
