"""Drive's answers as values: what a file is, whether its text is wanted, and how it is had."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.artifact import Artifact, ExternalId, PartitionKey, Priority, Ref, SkipReason
from connectors.documents.kinds import XLSX, Kind, kind_of
from connectors.events import Skipped
from connectors.local.protocol import Entry, Nature, priority, shown
from connectors.local.rules import Rules
from connectors.local.selection import Selection, Skip, inspect

Answer = Mapping[str, Any]
FOLDER = "application/vnd.google-apps.folder"
FILE_FIELDS = (
    "id,name,mimeType,parents,driveId,trashed,md5Checksum,size,version,modifiedTime,createdTime,"
    "webViewLink,owners(displayName),lastModifyingUser(displayName),capabilities(canDownload)"
)
_A_MOMENT = timedelta(minutes=1)
_GOOGLES = "application/vnd.google-apps."
_PICTURE = re.compile(rb"^\[[^\]\n]{1,100}\]: ?<?data:image/[^\n]*\n?", re.MULTILINE)
_MINE, _PICKED, _SHARED = "my-drive", "picked", "shared:"
_NOT_TEXT = Skip(SkipReason.BINARY, "not text")
_LINK = Skip(SkipReason.LINK, "a shortcut to another file")
_GUARDED = Skip(SkipReason.FORBIDDEN, "its owner does not let it be downloaded")
_TOO_MUCH = Skip(SkipReason.TOO_LARGE, "Google exports no document of more than 10 MB")
_ABUSIVE = Skip(SkipReason.FORBIDDEN, "Google holds it for harmful")
_REFUSALS: Mapping[str, Skip] = {
    "exportSizeLimitExceeded": _TOO_MUCH,
    "cannotDownloadFile": _GUARDED,
    "cannotExportFile": _GUARDED,
    "cannotDownloadAbusiveFile": _ABUSIVE,
    "fileNotDownloadable": _NOT_TEXT,
    "fileNotExportable": _NOT_TEXT,
}


@dataclass(frozen=True, slots=True)
class Log:
    """What has a log of changes of its own: a shared ``drive``, or all that is the user's.

    ``picked`` files may lie in any drive: those that a user opened to us alone.
    """

    drive: str = ""
    picked: bool = False

    @property
    def key(self) -> PartitionKey:
        own = _PICKED if self.picked else _MINE
        return PartitionKey(f"{_SHARED}{self.drive}" if self.drive else own)

    def ref(self, file: str) -> Ref:
        """A file that moves to another drive is another one there: each drive tells of its own."""
        return Ref(self.key, ExternalId(f"drive:{self.drive or 'own'}:{file}"))

    @classmethod
    def of(cls, key: PartitionKey) -> "Log":
        return cls(key.removeprefix(_SHARED) if key.startswith(_SHARED) else "", key == _PICKED)


def file_of(external_id: ExternalId) -> str:
    return external_id.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Export:
    """A document of Google's has no bytes of its own: it is asked for in a format."""

    mime: str
    suffix: str


EXPORTS: Mapping[str, Export] = {
    f"{_GOOGLES}document": Export("text/markdown", ".md"),
    f"{_GOOGLES}spreadsheet": Export(XLSX, ".md"),  # as CSV, it would be its first sheet alone
    f"{_GOOGLES}presentation": Export("text/plain", ".txt"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """``file`` is as it is now, None if it is out of our sight.

    ``left`` if it is not in this log any more; ``sank`` if it may stand lower in a listing now.
    """

    id: str
    file: Answer | None
    left: bool
    sank: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """``anchor`` is where the next look begins; ``more`` if there is more to see at once.

    ``lost`` are shared drives that the user is no member of any more.
    """

    changes: Sequence[Change]
    lost: Sequence[str]
    anchor: str
    more: bool


def changes(answer: Answer) -> Changes:
    told = answer.get("changes", ())
    drives = [each for each in told if each.get("changeType") == "drive" and each.get("removed")]
    following = answer.get("nextPageToken", "")
    return Changes(
        [_change(each) for each in told if each.get("changeType") == "file"],
        [each["driveId"] for each in drives],
        following or answer["newStartPageToken"],
        bool(following),
    )


def _change(told: Answer) -> Change:
    file, left = told.get("file"), bool(told.get("removed"))
    happened = moment(told.get("time"))
    modified = moment((file or {}).get("modifiedTime"))
    # Whoever uploads a file may say that it was changed long ago.
    sank = happened is not None and modified is not None and modified < happened - _A_MOMENT
    return Change(told["fileId"], file, left, sank)


def is_folder(file: Answer) -> bool:
    return bool(file["mimeType"] == FOLDER)


def version(file: Answer) -> str:
    """By its content and its name, which are told with it; of Google's own only a count is known.

    That count also grows when a document is shared: it is exported once more then.
    """
    told = file.get("md5Checksum") or f"{file['version']}@{file.get('modifiedTime', '')}"
    return hashlib.sha256(f"{told}\0{file['name']}".encode()).hexdigest()[:32]


def judge(log: Log, file: Answer, folders: Sequence[str], *, max_bytes: int) -> Artifact | Skipped:
    """What is told of a file that lies in these folders, from the top down."""
    path = "/".join([*(_segment(each) for each in folders), _segment(file["name"])])
    export = EXPORTS.get(file["mimeType"])
    # Google's own documents are counted too, but not in bytes that anybody gets.
    size = None if export else _size(file)
    entry = Entry(f"{path}{export.suffix}" if export else path, Nature.FILE, "", size)
    skip = _by_kind(file) or _by_name(file, entry, max_bytes)
    if skip:
        ref, title = log.ref(file["id"]), shown(file["name"])
        return Skipped(ref, skip.reason, skip.detail, title, entry.size)
    return Artifact(
        ref=log.ref(file["id"]),
        version=version(file),
        kind="file",
        title=shown(file["name"]),
        path=shown(entry.path),
        url=file.get("webViewLink"),
        mime="text/markdown" if export else file["mimeType"],
        size=_size(file),
        priority=max(priority(entry.path), Priority.EARLY) if folders else priority(entry.path),
        created_at=moment(file.get("createdTime")),
        updated_at=moment(file.get("modifiedTime")),
        meta=_meta(file),
    )


def document_kind(file: Answer) -> Kind | None:
    """What its bytes are to be read as, if they are no text yet."""
    export = EXPORTS.get(file["mimeType"])
    return kind_of(export.mime if export else file["mimeType"], file["name"])


def looked_at(file: Answer, body: bytes, *, max_bytes: int) -> Skip | None:
    """Why a file is not wanted after all, by its bytes."""
    if len(body) > max_bytes:
        return Skip(SkipReason.TOO_LARGE, f"it grew over the limit of {max_bytes:,} bytes")
    export = EXPORTS.get(file["mimeType"])
    name = file["name"] + (export.suffix if export else "")
    entry = Entry(name, Nature.FILE, "", len(body))
    return inspect(_selection(max_bytes).judge(entry), body)


def without_pictures(body: bytes) -> bytes:
    """An exported document without the pictures that Google writes out at its end, as base64."""
    return _PICTURE.sub(b"", body)


def refused(reasons: frozenset[str]) -> Skip | None:
    """What is said no to for good, and for this one file."""
    return next((skip for reason, skip in _REFUSALS.items() if reason in reasons), None)


def moment(told: str | None) -> datetime | None:
    """RFC 3339, as Google writes it; a date that cannot be is none."""
    try:
        return datetime.fromisoformat(told) if told else None
    except ValueError:
        return None


def _by_kind(file: Answer) -> Skip | None:
    mime = file["mimeType"]
    if mime == f"{_GOOGLES}shortcut":
        return _LINK
    if mime.startswith(_GOOGLES) and mime not in EXPORTS:
        kind = mime.removeprefix(_GOOGLES).replace("-", " ")
        return Skip(SkipReason.BINARY, f"a Google {kind}, which has no text to export")
    if not file.get("capabilities", {}).get("canDownload", True):
        return _GUARDED
    return _NOT_TEXT if mime.partition("/")[0] in {"image", "video", "audio", "font"} else None


def _by_name(file: Answer, entry: Entry, max_bytes: int) -> Skip | None:
    """What is no text to others is one to us, if it is a document."""
    if document_kind(file) and not EXPORTS.get(file["mimeType"]):
        entry = replace(entry, path=f"{entry.path}.md")
    return _selection(max_bytes).judge(entry).skip


def _selection(max_bytes: int) -> Selection:
    return Selection(Rules(), include=(), exclude=(), max_bytes=max_bytes)


def _size(file: Answer) -> int | None:
    size = str(file.get("size", ""))
    return int(size) if size.isdigit() else None


def _segment(name: str) -> str:
    """A name in Drive may be anything, a slash or nothing among it."""
    return name.replace("/", "_").strip() or "_"


def _meta(file: Answer) -> Mapping[str, str]:
    owners: Sequence[Answer] = file.get("owners") or [{}]
    editor: Answer = file.get("lastModifyingUser") or {}
    told = {"owner": owners[0], "last_edited_by": editor}
    named = {key: person.get("displayName", "") for key, person in told.items()}
    return {key: shown(value)[:300] for key, value in named.items() if value}
