"""Drives that change and remember what changed, and what their user may see of it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from connectors.drive.protocol import FOLDER
from connectors.fakes.google import Service

ROOT = "0AOwnRoot"
_NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Guard(StrEnum):
    """Why a file is not handed out, in Google's words."""

    DOWNLOAD = "cannotDownloadFile"
    ABUSE = "cannotDownloadAbusiveFile"
    SIZE = "exportSizeLimitExceeded"
    BROKEN = "internalError"  # each time anew


@dataclass(slots=True)
class File:
    """``content`` of a document of Google's is what it exports to. ``parent`` "" is none we see."""

    id: str
    name: str
    mime: str
    content: bytes
    parent: str
    drive: str
    created: datetime
    modified: datetime
    version: int = 1
    trashed: bool = False
    picked: bool = False
    guard: Guard | None = None

    @property
    def googles(self) -> bool:
        return self.mime.startswith("application/vnd.google-apps.")

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Happening:
    """Of a file, or of a whole shared drive, in the log of one drive ("" is the user's)."""

    id: int
    log: str
    file: str
    drive: str = ""
    time: datetime = _NOON


@dataclass(slots=True)
class World(Service):
    """``forgotten`` is how often all tokens were. ``away`` is what the user may not see (any more).

    Of a file that changes twice, a log tells only the last, as Drive does.
    """

    address: str = "ann@example.org"
    files: dict[str, File] = field(default_factory=dict[str, File])
    drives: dict[str, str] = field(default_factory=dict[str, str])
    away: set[str] = field(default_factory=set[str])
    happened: dict[tuple[str, str], Happening] = field(
        default_factory=dict[tuple[str, str], Happening]
    )
    moment: datetime = _NOON
    position: int = 100
    forgotten: int = 0
    picking: bool = False
    _number: int = 0

    def __post_init__(self) -> None:
        self.files[ROOT] = File(ROOT, "My Drive", FOLDER, b"", "", "", _NOON, _NOON)

    def add(
        self,
        name: str,
        content: bytes = b"What is in it.",
        *,
        parent: str = ROOT,
        mime: str = "text/plain",
    ) -> str:
        """Put a file where ``parent`` is; "" is somebody else's, who shares it. Answers its id."""
        self._number += 1
        made = self._tick()
        drive = self.files[parent].drive if parent else ""
        id_ = f"1F{self._number:06}x"
        self.files[id_] = File(id_, name, mime, content, parent, drive, made, made)
        self._note(id_)
        return id_

    def folder(self, name: str, *, parent: str = ROOT) -> str:
        return self.add(name, b"", parent=parent, mime=FOLDER)

    def share(self, name: str) -> str:
        """A shared drive. Its id is also that of its top folder."""
        self._number += 1
        id_ = f"0A{self._number:06}UkPVA"
        self.drives[id_] = name
        self.files[id_] = File(id_, "Drive", FOLDER, b"", "", id_, _NOON, _NOON)
        return id_

    def write(self, id_: str, content: bytes, *, modified: datetime | None = None) -> None:
        file = self.files[id_]
        file.content, file.modified = content, modified or self._tick()
        self._note(id_)

    def rename(self, id_: str, name: str) -> None:
        self.files[id_].name = name
        self._note(id_)

    def move(self, id_: str, parent: str) -> None:
        """Also to another drive: then the one that it leaves tells that it is gone."""
        file = self.files[id_]
        before, file.parent, file.drive = file.drive, parent, self.files[parent].drive
        self._note(id_)
        if before != file.drive:
            self._note(id_, log=before)

    def trash(self, id_: str, *, back: bool = False) -> None:
        """What lies in a folder goes with it, and nothing is told of it."""
        self.files[id_].trashed = not back
        self._note(id_)

    def delete(self, id_: str) -> None:
        """For good."""
        file = self.files.pop(id_)
        self._note(id_, log=file.drive)

    def lose(self, id_: str, *, back: bool = False) -> None:
        """A file is not shared with the user any more, or is again."""
        (self.away.discard if back else self.away.add)(id_)
        self._note(id_)

    def leave(self, drive: str, *, back: bool = False) -> None:
        """The user is no member of a shared drive any more, or is again."""
        (self.away.discard if back else self.away.add)(drive)
        self.position += 3
        self.happened["", drive] = Happening(self.position, "", "", drive, self._tick())

    def forget(self) -> None:
        self.forgotten += 1

    def visible(self, id_: str) -> File | None:
        file = self.files.get(id_)
        if file is None or id_ in self.away or file.drive in self.away:
            return None
        return file if file.picked or not self.picking else None

    def is_trashed(self, file: File) -> bool:
        return file.trashed or any(each.trashed for each in self.above(file))

    def listing(self) -> list[File]:
        """What the user can see, the latest changed first."""
        seen = [file for file in self.files.values() if self.visible(file.id)]
        tops = {ROOT, *self.drives}
        return sorted(
            (file for file in seen if file.id not in tops),
            key=lambda file: (file.modified, file.id),
            reverse=True,
        )

    def since(self, log: str, position: int) -> Sequence[Happening]:
        found = (each for each in self.happened.values() if each.log == log)
        return sorted((each for each in found if each.id > position), key=lambda each: each.id)

    def above(self, file: File) -> Iterator[File]:
        while file.parent and file.parent in self.files:
            file = self.files[file.parent]
            yield file

    def _note(self, id_: str, *, log: str | None = None) -> None:
        file = self.files.get(id_)
        if file:
            file.version += 1
        where = log if log is not None else (file.drive if file else "")
        self.position += 3  # they grow, and have gaps
        self.happened[where, id_] = Happening(self.position, where, id_, "", self._tick())

    def _tick(self) -> datetime:
        self.moment += timedelta(minutes=2)
        return self.moment
