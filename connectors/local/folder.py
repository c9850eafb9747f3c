"""A plain folder, walked and read without ever leaving it.

Whoever can write into the folder can put a symbolic link where a folder was a moment ago. So
nothing is opened by its whole path: each step is opened from the one before, and links are refused.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from connectors.artifact import ExternalId, FailureClass, SkipReason
from connectors.errors import (
    ArtifactGone,
    ConnectorError,
    CursorExpired,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
)
from connectors.local import protocol
from connectors.local.config import LocalConfig
from connectors.local.protocol import Entry, Nature
from connectors.local.rules import Rules
from connectors.local.selection import Item, Selection, Skip, Trouble, too_large
from connectors.local.tree import Content

# In the order of their weight: what comes later has the last word.
RULE_FILES = (".gitattributes", ".gitignore", ".ignore", ".headwaterignore")
# Files whose presence says what the folder is, whatever its name.
_MARKS = {
    "CACHEDIR.TAG": Skip(SkipReason.GENERATED, "a cache"),
    "pyvenv.cfg": Skip(SkipReason.VENDORED, "installed packages"),
}
_TOO_DEEP = Skip(SkipReason.SPECIAL, "deeper than 500 folders")
_MAX_DEPTH = 500
_BATCH = 1_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that somebody put there would wait for a writer for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_PERMIT = "Let the user that Headwater runs as read it, then start again."


@dataclass(frozen=True, slots=True)
class Folder:
    """``Source`` of a plain folder."""

    root: str
    config: LocalConfig

    async def tree(self, commit: str | None) -> "FolderTree":
        if commit is not None:
            raise CursorExpired(f"{self.config.path} was a git repository, and is none now")
        return FolderTree(self.root, self.config)

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class FolderTree:
    root: str
    config: LocalConfig
    commit: None = None
    description: str = "folder"

    async def items(self) -> AsyncGenerator[Sequence[Item]]:
        config = self.config
        selection = Selection(
            Rules(), include=config.include, exclude=config.exclude, max_bytes=config.max_bytes
        )
        walk = _walk(self.root, selection)
        while batch := await asyncio.to_thread(list, islice(walk, _BATCH)):
            yield batch

    async def contents(self, items: Sequence[Item]) -> Mapping[ExternalId, Content]:
        return await asyncio.to_thread(_contents, self.root, items, self.config.max_bytes)


def _walk(root: str, selection: Selection) -> Iterator[Item]:
    with _opened(root) as top:
        pending = [""]
        while pending:
            yield from _visit(top, pending.pop(), selection, pending)


def _visit(top: int, folder: str, selection: Selection, pending: list[str]) -> Iterator[Item]:
    with _reported(folder) as troubles, _beneath(top, folder) as here:
        marked = _mark(here) if folder else None
        if marked:
            yield _closed(folder, marked)
            return
        for name in RULE_FILES:
            _learn(here, folder, name, selection.rules)
        with os.scandir(here) as listing:
            for found in listing:
                yield from _meet(folder, found, selection, pending)
    yield from troubles


def _meet(
    folder: str, found: os.DirEntry[str], selection: Selection, pending: list[str]
) -> Iterator[Item]:
    path = folder + found.name
    with _reported(path) as troubles:
        entry = _entry(path, found.stat(follow_symlinks=False))
        yield from _decide(entry, selection, pending)
    yield from troubles


def _decide(entry: Entry, selection: Selection, pending: list[str]) -> Iterator[Item]:
    if not selection.wants(entry.path):
        return
    if entry.nature is not Nature.FOLDER:
        yield selection.judge(entry)
        return
    skip = _TOO_DEEP if entry.path.count("/") > _MAX_DEPTH else selection.closed(entry.path)
    if skip:
        yield _closed(entry.path, skip)
    else:
        pending.append(entry.path)


def _entry(path: str, found: os.stat_result) -> Entry:
    if stat.S_ISDIR(found.st_mode):
        return Entry(f"{path}/", Nature.FOLDER, "")
    nature = Nature.LINK if stat.S_ISLNK(found.st_mode) else Nature.SPECIAL
    if stat.S_ISREG(found.st_mode):
        nature = Nature.FILE
    version = f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"
    return Entry(path, nature, version, found.st_size, found.st_mtime_ns)


def _learn(here: int, folder: str, name: str, rules: Rules) -> None:
    try:
        with os.fdopen(os.open(name, _FILE, dir_fd=here), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                rules.add(protocol.shown(folder), name, file.read(1_000_000))
    except OSError as error:
        if error.errno not in _GONE:
            raise


def _mark(here: int) -> Skip | None:
    for name, skip in _MARKS.items():
        try:
            os.stat(name, dir_fd=here, follow_symlinks=False)
        except OSError:
            continue
        return skip
    return None


def _contents(root: str, items: Sequence[Item], limit: int) -> dict[ExternalId, Content]:
    with _opened(root) as top:
        return {item.id: _content(top, item.entry.path, limit) for item in items}


def _content(top: int, path: str, limit: int) -> Content:
    folder, slash, name = path.rpartition("/")
    try:
        with (
            _beneath(top, folder + slash) as here,
            os.fdopen(os.open(name, _FILE, dir_fd=here), "rb", buffering=0) as file,
        ):
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ArtifactGone(f"{protocol.shown(path)} is not a file any more")
            data = _read(file.fileno(), limit + 1)
            size = max(os.fstat(file.fileno()).st_size, len(data))
    except OSError as error:
        return _failed(path, error)
    return too_large(size, limit) if len(data) > limit else data


def _read(file: int, limit: int) -> bytes:
    """Read at most so much, however the file may grow meanwhile."""
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(file, min(limit, 1 << 20))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _failed(path: str, error: OSError) -> ConnectorError:
    shown = protocol.shown(path)
    if error.errno in _GONE:
        return ArtifactGone(f"{shown} is not there any more")
    if isinstance(error, PermissionError):
        return SourceRefused(f"{shown} cannot be read: permission denied", action=_PERMIT)
    return SourceUnavailable(f"{shown} cannot be read: {error.strerror}")


@contextmanager
def _reported(path: str) -> Iterator[list[Item]]:
    """What the system refuses becomes a finding; what vanished meanwhile was never there."""
    troubles: list[Item] = []
    try:
        yield troubles
    except OSError as error:
        if error.errno not in _GONE:
            troubles.append(_troubled(path, error))


def _troubled(path: str, error: OSError) -> Item:
    denied = isinstance(error, PermissionError)
    failure = FailureClass.FORBIDDEN if denied else FailureClass.TRANSIENT
    action = _PERMIT if denied else "Look at the disk or mount it is on, then start again."
    # A folder whose ignore file may not be read is not read: the file may be about secrets.
    name = error.filename if error.filename in RULE_FILES else "it"
    detail = f"{name} cannot be read: {error.strerror}"
    trouble = Trouble(failure, detail, action)
    return Item(protocol.external_id(path), Entry(path, Nature.FOLDER, ""), trouble=trouble)


def _closed(path: str, skip: Skip) -> Item:
    return Item(protocol.external_id(path), Entry(path, Nature.FOLDER, ""), skip=skip)


@contextmanager
def _opened(root: str) -> Iterator[int]:
    try:
        top = os.open(root, _FOLDER)
    except PermissionError as error:
        raise SourceRefused(f"{root} cannot be read: permission denied", action=_PERMIT) from error
    except OSError as error:
        raise SourceMissing(f"{root} is not there any more") from error
    try:
        yield top
    finally:
        os.close(top)


@contextmanager
def _beneath(top: int, folder: str) -> Iterator[int]:
    """Open a folder under ``top``, one step after the other, following no link."""
    here = os.dup(top)
    try:
        for step in folder.split("/")[:-1]:
            below = os.open(step, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)
