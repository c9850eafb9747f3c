"""The schema's version: bringing a database up to date, and refusing one that is not.

An upgrade is one transaction. It waits for another one that is running, and gives up rather than
wait for the locks or the time that would hold up those who use the database meanwhile.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from storage import fences
from storage.database import Database, Tx, open_database
from storage.errors import SchemaOutdated, SetupError

UNBOUND = text("""
    SELECT set_config('transaction_timeout', '0', true)
    WHERE current_setting('transaction_timeout', true) IS NOT NULL
""")
"""It waits for its turn and works as long as its own limits let it."""

ADVISORY_LOCK = 7_236_018_240_117_001  # any number, the same in every process that migrates
HALFVEC_SINCE = (0, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an upgrade of PostgreSQL may wait and work."""

    turn_ms: int = 60_000  # for another upgrade to end
    lock_ms: int = 4_000
    statement_ms: int = 5_000


async def upgrade(url: str, *, patience: Patience | None = None) -> None:
    """Bring the schema up to date. Doing it again changes nothing."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and place.database:
        Path(place.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with open_database(url) as database, database.transaction() as tx:
        await take_turn(tx, patience or Patience())
        await tx.run_sync(_refuse_unknown)
        await build(tx)


async def take_turn(tx: Tx, patience: Patience) -> None:
    """Keep other upgrades away until the transaction ends."""
    # On SQLite the transaction itself is the lock: it began as the only writer.
    if tx.dialect.name == "postgresql":
        await _take_turn(tx, patience)
        await _require_vectors(tx)


async def build(tx: Tx, revision: str = "head") -> None:
    """Bring what is there, or an empty database, to this revision."""
    await tx.run_sync(partial(_upgrade, revision=revision))
    if tx.dialect.name == "postgresql" and revision == "head":
        await fences.put_up(tx)


def require_known(revision: str, what: str) -> None:
    """Raise ``SchemaOutdated`` for one that only a newer version knows."""
    if revision not in _revisions():
        raise SchemaOutdated(
            f"{what} is at schema {revision}, which this version of Headwater does not know.",
            action="Use the newer version of Headwater that it comes from.",
        )


async def check(database: Database) -> None:
    """Raise ``SchemaOutdated`` unless the schema is the one this version works with."""
    async with database.reading() as tx:
        await tx.run_sync(_refuse_unknown)
        current = await tx.run_sync(_current)
    if current != head():
        raise SchemaOutdated(
            f"The database at {database.place} is at schema {current or 'none'}, "
            f"and this version of Headwater needs {head()}."
        )


def head() -> str:
    """The newest schema this version of Headwater knows."""
    return str(_scripts().get_current_head())


async def _take_turn(tx: Tx, patience: Patience) -> None:
    await tx.execute(UNBOUND)
    await _set(tx, "statement_timeout", 0)
    await _set(tx, "lock_timeout", patience.turn_ms)
    await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    await _set(tx, "lock_timeout", patience.lock_ms)
    await _set(tx, "statement_timeout", patience.statement_ms)


async def _set(tx: Tx, name: str, milliseconds: int) -> None:
    await tx.execute(
        text("SELECT set_config(:name, :value, true)"), {"name": name, "value": str(milliseconds)}
    )


async def _require_vectors(tx: Tx) -> None:
    found = await tx.scalar(
        text(
            "SELECT coalesce(installed_version, default_version) "
            "FROM pg_available_extensions WHERE name = 'vector'"
        )
    )
    if found is None or _version(str(found)) < HALFVEC_SINCE:
        raise SetupError(
            f"PostgreSQL's extension `vector` 0.7 or newer is needed; found: {found or 'none'}.",
            action="Install pgvector on the database server, or use an image that has it.",
        )
    try:
        async with tx.begin_nested():
            await tx.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError as error:
        raise SetupError(
            "PostgreSQL's extension `vector` is there, but this user may not switch it on.",
            action="Run `CREATE EXTENSION vector` in the database as a superuser once.",
        ) from error


def _version(text_: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text_.split(".") if part.isdigit())


def _upgrade(connection: Connection, *, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _refuse_unknown(connection: Connection) -> None:
    current = _current(connection)
    if current is None or current in _revisions():
        return
    raise SchemaOutdated(
        f"The database is at schema {current}, which this version of Headwater does not know.",
        action="Use the newer version of Headwater that upgraded it.",
    )


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    return config
