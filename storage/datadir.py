"""The directory that a stack on one machine lives in, and who holds it.

::

    lock            held (flock) as long as a stack runs here; the kernel lets go of it
    version         the version of Headwater that used the directory last
    instance.json   where the running stack is to be found, only for its user's eyes
    headwater.db    the database, unless HEADWATER_DATABASE_URL names another
    redis/ prefect/ logs/
"""

import fcntl
import json
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.errors import DataDirectoryBusy, DataDirectoryForeign

OURS = frozenset({"lock", "version", "instance.json", "redis", "prefect", "logs"})
DATABASE = "headwater.db"  # and what SQLite puts beside it
VERSION = re.compile(r"(\d+)\.(\d+)\b\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A running stack. ``api_url`` is None while it starts."""

    pid: int
    version: str
    api_url: str | None = None
    pids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory that is ours as long as we are in ``hold``."""

    path: Path
    version: str

    def announce(self, *, api_url: str | None, pids: Mapping[str, int]) -> None:
        """Tell other programs of this user where the stack is."""
        instance = Instance(pid=os.getpid(), version=self.version, api_url=api_url, pids=pids)
        write_private(self.path / "instance.json", json.dumps(asdict(instance)))


@contextmanager
def hold(data_dir: Path, version: str) -> Generator[DataDirectory]:
    """Make the directory if need be and keep others from it, for as long as this lasts.

    Raises ``DataDirectoryBusy`` if a stack runs on it, and ``DataDirectoryForeign`` if it cannot
    be used: not writable, not made by Headwater, or used by a newer version.
    """
    path = data_dir.expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_foreign(path)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataDirectoryForeign(f"Data directory {path} cannot be used: {reason}.") from error
    try:
        _lock(lock, path)
        _refuse_newer(path, version)
        directory = DataDirectory(path, version)
        write_private(path / "version", f"{version}\n")
        directory.announce(api_url=None, pids={})
        yield directory
        (path / "instance.json").unlink(missing_ok=True)
    finally:
        os.close(lock)


def running(data_dir: Path) -> Instance | None:
    """The stack that runs on this directory, or None."""
    path = data_dir.expanduser().absolute()
    try:
        lock = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _instance(path)
    finally:
        os.close(lock)
    return None


def write_private(path: Path, text: str) -> None:
    """Replace a file, at once and for nobody else to read."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _lock(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataDirectoryBusy(_busy(path)) from None


def _busy(path: Path) -> str:
    instance = _instance(path)
    if instance is None:
        return f"Data directory {path} is in use by another Headwater."
    where = f" at {instance.api_url}" if instance.api_url else ""
    return f"Data directory {path} is in use by Headwater{where} (process {instance.pid})."


def _instance(path: Path) -> Instance | None:
    with suppress(OSError, ValueError, TypeError):
        return Instance(**json.loads((path / "instance.json").read_text()))
    return None


def _refuse_foreign(path: Path) -> None:
    """Better to refuse a home directory than to spread files in it."""
    if (path / "version").exists():
        return
    strange = sorted(each.name for each in path.iterdir() if not _expected(each.name))
    if strange:
        raise DataDirectoryForeign(
            f"Directory {path} was not made by Headwater: it holds {strange[0]!r}."
        )


def _expected(name: str) -> bool:
    return name in OURS or name.startswith((DATABASE, "."))


def _refuse_newer(path: Path, version: str) -> None:
    try:
        last = (path / "version").read_text().strip()
    except FileNotFoundError:
        return
    theirs, ours = VERSION.fullmatch(last), VERSION.fullmatch(version)
    if theirs is None or ours is None:
        raise DataDirectoryForeign(f"Data directory {path} is of an unknown version, {last!r}.")
    if tuple(map(int, theirs.groups())) > tuple(map(int, ours.groups())):
        raise DataDirectoryForeign(
            f"Data directory {path} belongs to Headwater {last}; this is {version}.",
            action=f"Use Headwater {last}, or set HEADWATER_DATA_DIR to another directory.",
        )
