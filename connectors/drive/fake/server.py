"""The fake Google Drive as a server: its routes, and what it answers on them."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from connectors.drive.fake import shapes
from connectors.drive.fake.world import ROOT, File, Guard, World
from connectors.drive.protocol import EXPORTS, FOLDER
from connectors.drive.quota import Call
from connectors.fakes.google import Asked, Fake, Refusal

_HERE = r"/drive/v3"
_RANGE = re.compile(r"bytes=0-(\d+)")
_INSIDE = re.compile(r"'([^']+)' in parents")


class FakeDrive(Fake):
    routes = (
        (Call.ABOUT, re.compile(rf"{_HERE}/about")),
        (Call.DRIVES, re.compile(rf"{_HERE}/drives")),
        (Call.LIST, re.compile(rf"{_HERE}/files")),
        (Call.EXPORT, re.compile(rf"{_HERE}/files/([^/]+)/export")),
        (Call.GET, re.compile(rf"{_HERE}/files/([^/]+)")),
        (Call.START, re.compile(rf"{_HERE}/changes/startPageToken")),
        (Call.CHANGES, re.compile(rf"{_HERE}/changes")),
    )
    schemas = MappingProxyType({
        Call.ABOUT: "About",
        Call.DRIVES: "DriveList",
        Call.LIST: "FileList",
        Call.GET: "File",
        Call.START: "StartPageToken",
        Call.CHANGES: "ChangeList",
    })  # fmt: skip

    def __init__(self, world: World, check: Callable[[str, Any], None] | None = None) -> None:
        super().__init__(world, check)
        self.world = world

    def charged(self, call: str, query: Mapping[str, str]) -> str:
        return Call.DOWNLOAD if call == Call.GET and query.get("alt") == "media" else call

    def route(self, asked: Asked) -> Any:
        answers: Mapping[str, Callable[[Asked], Any]] = {
            Call.ABOUT: self._about,
            Call.DRIVES: self._drives,
            Call.LIST: self._list,
            Call.EXPORT: self._export,
            Call.GET: self._get,
            Call.START: self._start,
            Call.CHANGES: self._changes,
        }
        return answers[asked.call](asked)

    def _get(self, asked: Asked) -> Any:
        file = self._file(asked)
        if asked.query.get("alt") == "media":
            return self._media(file, asked.headers)
        return shapes.file(self.world, file)

    def _start(self, _: Asked) -> Any:
        return {"startPageToken": self._token(self.world.position)}

    def _drives(self, _: Asked) -> Any:
        there = {id_: name for id_, name in self.world.drives.items() if id_ not in self.world.away}
        return {"drives": [{"id": id_, "name": name} for id_, name in there.items()]}

    def _about(self, asked: Asked) -> Any:
        if "fields" not in asked.query:
            raise Refusal(400, "required", "The 'fields' parameter is required for this method.")
        used = sum(len(each.content) for each in self.world.files.values() if not each.drive)
        user = {"permissionId": "0815", "emailAddress": self.world.address, "displayName": "Ann"}
        return {"user": user, "storageQuota": {"usageInDrive": str(used)}}

    def _file(self, asked: Asked) -> File:
        name = ROOT if asked.names[0] == "root" else asked.names[0]
        found = self.world.visible(name)
        if found is None or (found.drive and asked.call is not Call.EXPORT
                             and asked.query.get("supportsAllDrives") != "true"):  # fmt: skip
            raise Refusal(404, "notFound", f"File not found: {name}.")
        return found

    def _media(self, file: File, headers: Mapping[str, str]) -> bytes:
        if file.googles:
            raise Refusal(403, "fileNotDownloadable", "Only files with binary content")
        self._hand_out(file)
        wanted = _RANGE.fullmatch(headers.get("range", ""))
        if wanted and not file.content:
            raise Refusal(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
        return file.content[: int(wanted[1]) + 1] if wanted else file.content

    def _export(self, asked: Asked) -> bytes:
        file = self._file(asked)
        export = EXPORTS.get(file.mime)
        if export is None or asked.query.get("mimeType") != export.mime:
            raise Refusal(403, "fileNotExportable", "Export only supports Docs Editors files.")
        self._hand_out(file)
        return file.content

    def _hand_out(self, file: File) -> None:
        if file.guard is Guard.BROKEN:
            raise Refusal(500, file.guard, "Internal Error")
        if file.guard is not None:
            raise Refusal(403, file.guard, "This file cannot be downloaded by the user.")
        if file.googles and len(file.content) > 10_000_000:  # noqa: PLR2004  # Google's limit
            raise Refusal(403, Guard.SIZE, "This file is too large to be exported.")

    def _list(self, asked: Asked) -> Any:
        """Tokens count from the top: the unkindest way that a listing may go on."""
        query = asked.query
        start = self._place(query.get("pageToken", self._token(0)))
        found = [each for each in self.world.listing() if self._is_meant(each, query)]
        end = start + min(int(query.get("pageSize", "100")), 1_000)
        page: dict[str, Any] = {"incompleteSearch": False}
        page["files"] = [shapes.file(self.world, each) for each in found[start:end]]
        if end < len(found):
            page["nextPageToken"] = self._token(end)
        return page

    def _is_meant(self, file: File, query: Mapping[str, str]) -> bool:
        drive, asked = query.get("driveId", ""), query.get("q", "")
        everywhere = query.get("includeItemsFromAllDrives") == "true" and not drive
        if file.drive != drive and not (everywhere and self.world.picking):
            return False
        if "trashed = false" in asked and self.world.is_trashed(file):
            return False
        inside = _INSIDE.search(asked)
        if inside and file.parent != (ROOT if inside[1] == "root" else inside[1]):
            return False
        if f"mimeType = '{FOLDER}'" in asked:
            return file.mime == FOLDER
        return f"mimeType != '{FOLDER}'" not in asked or file.mime != FOLDER

    def _changes(self, asked: Asked) -> Any:
        query = asked.query
        log = query.get("driveId", "")
        if log in self.world.away:
            raise Refusal(404, "notFound", f"Shared drive not found: {log}")
        after = self.world.since(log, self._place(query["pageToken"]))
        most = int(query.get("pageSize", "100"))
        told = [shapes.change(self.world, each, log) for each in after[:most]]
        if len(after) > most:
            return {"changes": told, "nextPageToken": self._token(after[most - 1].id)}
        return {"changes": told, "newStartPageToken": self._token(self.world.position)}

    def _token(self, place: int) -> str:
        return f"{self.world.forgotten}.{place}"

    def _place(self, token: str) -> int:
        era, _, place = token.partition(".")
        if not place.isdigit() or era != str(self.world.forgotten):
            raise Refusal(400, "invalid", "Invalid Value")
        return int(place)
