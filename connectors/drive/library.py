"""What Drive is asked: what there is, where it lies, what happened, and the bytes of a file."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.drive import protocol
from connectors.drive.protocol import FILE_FIELDS, FOLDER, Answer, Changes, Export, Log
from connectors.drive.quota import UNITS, Call
from connectors.errors import CursorExpired, SourceUnavailable
from connectors.google.client import Ask
from connectors.google.refusals import Malformed
from connectors.google.session import Session

PAGE = 200
_MOST = 1_000  # that a page may have, for what is small or only counted
_FOLDER_FIELDS = "id,name,mimeType,parents,driveId,trashed"


@dataclass(frozen=True, slots=True)
class Library:
    session: Session
    page: int = PAGE

    async def about(self) -> Answer:
        fields = "user(permissionId,emailAddress,displayName),storageQuota(usageInDrive)"
        return await self._ask(Call.ABOUT, lambda drive: drive.about().get(fields=fields))

    async def drives(self) -> Sequence[Answer]:
        """The shared drives that the user is a member of."""
        found: list[Answer] = []
        token = None
        while True:
            asked = {"pageSize": 100, "fields": "nextPageToken,drives(id,name)", "pageToken": token}
            answer = await self._ask(
                Call.DRIVES, lambda drive, asked=asked: drive.drives().list(**asked)
            )
            found += answer.get("drives", ())
            token = _following(answer, token)
            if not token:
                return found

    async def file(self, file: str) -> Answer:
        """Raises ``ArtifactGone`` for what is not there, or is not the user's to see."""
        asked = {"fileId": file, "fields": FILE_FIELDS, "supportsAllDrives": True}
        return await self._ask(Call.GET, lambda drive: drive.files().get(**asked))

    async def listed(self, log: Log, token: str) -> tuple[Sequence[Answer], str]:
        """A page of the files of a log, and the token of the next one, if there is one.

        The latest changed come first.
        """
        query = f"trashed = false and mimeType != '{FOLDER}'"
        return await self._page(log, query, token, self.page, FILE_FIELDS)

    async def sizes(self, log: Log) -> tuple[int, int] | None:
        """How many files, and bytes, if a page of them is all that there is."""
        query = f"trashed = false and mimeType != '{FOLDER}'"
        files, following = await self._page(log, query, "", _MOST, "id,size")
        if following:
            return None
        return len(files), sum(int(each.get("size", 0)) for each in files)

    async def folders(self, log: Log, inside: str = "") -> AsyncIterator[Answer]:
        """All folders, or those that lie in one."""
        query = f"trashed = false and mimeType = '{FOLDER}'"
        if inside:
            query += f" and '{inside}' in parents"
        async for each in self._all(log, query, _FOLDER_FIELDS):
            yield each

    async def inside(self, log: Log, folder: str) -> AsyncIterator[Answer]:
        """What lies in a folder, be it in the trash with it."""
        async for each in self._all(log, f"'{folder}' in parents", FILE_FIELDS):
            yield each

    async def position(self, log: Log) -> str:
        asked: dict[str, Any] = {"supportsAllDrives": True}
        if log.drive:
            asked["driveId"] = log.drive
        answer = await self._ask(
            Call.START, lambda drive: drive.changes().getStartPageToken(**asked)
        )
        return str(answer["startPageToken"])

    async def changes(self, log: Log, anchor: str) -> Changes:
        told = f"changeType,removed,time,fileId,driveId,file({FILE_FIELDS})"
        asked = {
            **_where(log, changes=True),
            "pageToken": anchor,
            "pageSize": self.page,
            "includeRemoved": True,
            "includeCorpusRemovals": True,  # what only moved is told with its file
            "fields": f"nextPageToken,newStartPageToken,changes({told})",
        }
        try:
            answer = await self._ask(Call.CHANGES, lambda drive: drive.changes().list(**asked))
        except Malformed as error:
            raise CursorExpired("Drive has forgotten what happened since the last time") from error
        _following(answer, anchor)
        return protocol.changes(answer)

    async def download(self, file: str, *, most: int) -> bytes:
        """Its bytes, of a longer one the first ``most`` and one more."""

        def ask(service: Any) -> Any:
            request = service.files().get_media(fileId=file, supportsAllDrives=True)
            request.headers["range"] = f"bytes=0-{most}"
            return request

        return await self.session.download(UNITS[Call.DOWNLOAD], ask)

    async def export(self, file: str, export: Export) -> bytes:
        asked = {"fileId": file, "mimeType": export.mime}
        return await self.session.download(
            UNITS[Call.EXPORT], lambda drive: drive.files().export(**asked)
        )

    async def _all(self, log: Log, query: str, fields: str) -> AsyncIterator[Answer]:
        token = ""
        while True:
            page, token = await self._page(log, query, token, _MOST, fields)
            for each in page:
                yield each
            if not token:
                return

    async def _page(
        self, log: Log, query: str, token: str, size: int, fields: str
    ) -> tuple[Sequence[Answer], str]:
        asked = {
            **_where(log),
            "q": query,
            "orderBy": "modifiedTime desc",
            "pageSize": size,
            "fields": f"nextPageToken,incompleteSearch,files({fields})",
        }
        if token:
            asked["pageToken"] = token
        try:
            answer = await self._ask(Call.LIST, lambda drive: drive.files().list(**asked))
        except Malformed as error:
            if not token:
                raise
            raise CursorExpired("Drive has forgotten the place in its listing") from error
        if answer.get("incompleteSearch"):
            raise SourceUnavailable("Drive could not look everywhere")
        return answer.get("files", ()), _following(answer, token)

    async def _ask(self, call: Call, ask: Ask) -> Answer:
        return await self.session.one(UNITS[call], ask)


def _where(log: Log, *, changes: bool = False) -> dict[str, Any]:
    shared = bool(log.drive) or log.picked
    where: dict[str, Any] = {"supportsAllDrives": True, "includeItemsFromAllDrives": shared}
    if not changes:
        where["corpora"] = "drive" if log.drive else "user"
    return {**where, "driveId": log.drive} if log.drive else where


def _following(answer: Answer, token: str | None) -> str:
    following = answer.get("nextPageToken", "")
    if following and following == token:
        raise CursorExpired("Drive's listing leads back to where it came from")
    return str(following)
