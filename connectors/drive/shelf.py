"""Files on their way in: what was just listed need not be asked for again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.artifact import Ref
from connectors.cell import Cell
from connectors.connector import Fetched
from connectors.documents.kinds import Document, Unwanted
from connectors.documents.reading import read
from connectors.drive import protocol
from connectors.drive.library import Library
from connectors.drive.protocol import EXPORTS, Answer, file_of
from connectors.errors import ArtifactGone, ConnectorError, SourceUnavailable
from connectors.events import Skipped
from connectors.google.refusals import Empty, Forbidden
from connectors.local.protocol import shown
from connectors.local.selection import Skip

THREADS = 4
_REMEMBERED = 2_000


@dataclass(slots=True)
class Shelf:
    library: Library
    desk: Cell
    max_bytes: int
    _listed: dict[str, Answer] = field(default_factory=dict[str, Answer])
    _hands: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(THREADS))

    def put(self, file: Answer) -> None:
        self._listed.pop(file["id"], None)
        self._listed[file["id"]] = file
        if len(self._listed) > _REMEMBERED:
            del self._listed[next(iter(self._listed))]

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        wanted = list(dict.fromkeys(refs))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(ref)) for ref in wanted]
        got = [task.result() for task in tasks]
        away = [each for each in got if isinstance(each, SourceUnavailable)]
        if away and len(away) == len(got):
            raise away[0]  # it is not the files
        return dict(zip(wanted, got, strict=True))

    async def _one(self, ref: Ref) -> Fetched:
        async with self._hands:
            try:
                return await self._fetched(ref)
            except ConnectorError as error:
                return error

    async def _fetched(self, ref: Ref) -> Fetched:
        name = file_of(ref.external_id)
        file = self._listed.get(name) or await self.library.file(name)
        if file.get("trashed"):
            raise ArtifactGone("It is in the trash")
        try:
            body = await self._bytes(file)
        except Forbidden as error:
            skip = protocol.refused(error.reasons)
            if skip is None:
                raise
            return _skipped(ref, file, skip)
        kind = protocol.document_kind(file)
        if kind and 0 < len(body) <= self.max_bytes:
            return await self._read(ref, file, Document(kind, body))
        skip = protocol.looked_at(file, body, max_bytes=self.max_bytes)
        return _skipped(ref, file, skip) if skip else body

    async def _read(self, ref: Ref, file: Answer, document: Document) -> Fetched:
        got = await read(self.desk, document)
        if isinstance(got, Unwanted):
            return _skipped(ref, file, Skip(got.reason, got.detail))
        return got.text.encode()

    async def _bytes(self, file: Answer) -> bytes:
        export = EXPORTS.get(file["mimeType"])
        if export:
            body = await self.library.export(file["id"], export)
            return protocol.without_pictures(body) if export.mime == "text/markdown" else body
        try:
            return await self.library.download(file["id"], most=self.max_bytes)
        except Empty:
            return b""


def _skipped(ref: Ref, file: Answer, skip: Skip) -> Skipped:
    return Skipped(ref, skip.reason, skip.detail, shown(file["name"]))
