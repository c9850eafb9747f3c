"""Google Drive as a connector: each drive by its files first, then by what happened in it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connectors.access import Access
from connectors.artifact import Artifact, FailureClass, PartitionKey, Ref
from connectors.connector import Account, Fetched, Partition, Plan, Probe, Scope
from connectors.documents.reading import open_desk
from connectors.drive import protocol
from connectors.drive.config import DriveConfig, DriveCursor, PickedConfig
from connectors.drive.library import PAGE, Library
from connectors.drive.places import TOP, Place, places
from connectors.drive.protocol import Log
from connectors.drive.quota import rates
from connectors.drive.shelf import THREADS, Shelf
from connectors.drive.tree import Tree
from connectors.drive.walk import DriveWalk
from connectors.errors import ConnectorError, SourceMissing
from connectors.events import (
    AccessLost,
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Seen,
)
from connectors.google.refusals import Api
from connectors.google.session import Session
from connectors.google.walk import PASSES
from connectors.throttle import Bell, Clock, Governor, Turnstile

GOOGLE = "https://www.googleapis.com"
_FOLDER = "folder:"
_FEW = 5  # drives that are counted for a plan
_ASK = "Ask whoever shared it, or choose other folders."


@asynccontextmanager
async def open_drive(
    config: PickedConfig,
    access: Access,
    *,
    origin: str = GOOGLE,
    page: int = PAGE,
    clock: Clock | None = None,
) -> AsyncGenerator["DriveConnector"]:
    bell = Bell()
    turnstile = Turnstile(Governor(rates(config.units_a_minute)), bell, clock or Clock())
    session = Session(
        Api("Google Drive", "drive", "v3", origin, "/drive/v3", THREADS), access, turnstile
    )
    library = Library(session, page)
    async with open_desk() as desk:
        try:
            shelf = Shelf(library, desk, config.max_bytes)
            yield DriveConnector(config, library, bell, shelf)
        finally:
            await session.close()


def narrow(config: DriveConfig, chosen: Sequence[PartitionKey]) -> DriveConfig:
    return config.model_copy(update={"folders": tuple(k.removeprefix(_FOLDER) for k in chosen)})


@dataclass(slots=True)
class DriveConnector:
    """Partitions are logs: ``my-drive``, ``shared:<id>`` of each shared drive, or ``picked``."""

    config: PickedConfig
    library: Library
    bell: Bell
    shelf: Shelf
    _places: Mapping[PartitionKey, Place] | None = None

    async def check(self) -> Sequence[Probe]:
        try:
            user = (await self.library.about())["user"]
            known = await self._known()
        except ConnectorError as error:
            return [Probe("account", well=False, detail=str(error), action=error.action)]
        probes = [Probe("account", well=True, detail=user["emailAddress"])]
        for place in known.values():
            detail = _missing(place) if place.missing else place.title
            probes.append(Probe(place.key, well=not place.missing, detail=detail, action=_ASK))
        return probes

    async def account(self) -> Account | None:
        user = (await self.library.about())["user"]
        return Account(user["permissionId"], user["emailAddress"])

    async def discover(self) -> AsyncIterator[Scope]:
        """The user's own drive, the folders at its top, and the shared drives."""
        if not isinstance(self.config, DriveConfig):
            number, size = await self.library.sizes(Log(picked=True)) or (None, None)
            yield Scope(Log(picked=True).key, "The files you picked", "", number, size)
            return
        used = (await self.library.about()).get("storageQuota", {}).get("usageInDrive", "")
        size = int(used) if used.isdigit() else None
        yield Scope(PartitionKey(f"{_FOLDER}{TOP}"), "My Drive", "all of it", None, size)
        async for each in self.library.folders(Log(), TOP):
            yield Scope(PartitionKey(_FOLDER + each["id"]), each["name"], "in My Drive")
        for each in await self.library.drives():
            yield Scope(PartitionKey(_FOLDER + each["id"]), each["name"], "shared drive")

    async def plan(self) -> Plan:
        """Name the drives; a few small ones, that are read as a whole, with what is in them."""
        parts: list[Partition] = []
        for place in (await self._known()).values():
            counted = place.roots is None and not place.missing and len(parts) < _FEW
            sizes = await self.library.sizes(place.log) if counted else None
            number, size = sizes or (None, None)
            parts.append(Partition(place.key, place.title, number, size))
        return Plan(tuple(parts))

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        """List what is there, then replay what happened meanwhile; later, only what happened.

        Raises ``CursorExpired`` if Drive does not know the place in a listing or a log any more.
        """
        place = await self._place(partition)
        start = cursor if isinstance(cursor, DriveCursor) else DriveCursor()
        if place.missing:
            for event in _lost(place):
                yield event
            return
        walk = DriveWalk(partition, start, self.library, place.log, self._tree(place), self.shelf)
        async for event in self.bell.over(walk.steps()):
            yield event

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        """Every id. Nothing if a folder is missing.

        Complete only if nothing left during a listing: another might have slipped past it.
        """
        place = await self._place(partition)
        missing = any(each.missing for each in (await self._known()).values())
        if missing:
            return
        tree, seen = self._tree(place), set[str]()
        for _ in range(PASSES):
            anchor = await self.library.position(place.log)
            async for artifact in self._all(place, tree):
                if artifact.ref.external_id not in seen:
                    seen.add(artifact.ref.external_id)
                    yield Seen(artifact.ref, artifact.version)
            if not await self._moved_since(place.log, anchor):
                yield CensusComplete(len(seen))
                return

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        return await self.shelf.fetch(refs)

    async def _all(self, place: Place, tree: Tree) -> AsyncIterator[Artifact]:
        token = ""
        while True:
            files, token = await self.library.listed(place.log, token)
            for file in files:
                folders = await tree.above(file)
                if folders is None:
                    continue
                told = protocol.judge(place.log, file, folders, max_bytes=self.config.max_bytes)
                if isinstance(told, Artifact):
                    yield told
            if not token:
                return

    async def _moved_since(self, log: Log, anchor: str) -> bool:
        """Whether anything may have changed its place in a listing since."""
        told = await self.library.changes(log, anchor)
        return bool(told.changes) or told.more

    async def _known(self) -> Mapping[PartitionKey, Place]:
        if self._places is None:
            found = await places(self.library, self.config)
            self._places = {place.key: place for place in found}
        return self._places

    async def _place(self, partition: PartitionKey) -> Place:
        place = (await self._known()).get(partition)
        if place is None:
            raise SourceMissing(f"Google Drive has no part called {partition}")
        return place

    def _tree(self, place: Place) -> Tree:
        return Tree(self.library, place.log, place.roots)


def _lost(place: Place) -> Sequence[Event]:
    """What was read of it is hidden, and kept: it may come back."""
    failure = FailureClass.FORBIDDEN
    return [
        *(AccessLost(key) for key in place.hides),
        Failed(None, place.key, failure, _missing(place), _ASK, place.title),
        Checkpoint(place.key, DriveCursor(), done=True),
    ]


def _missing(place: Place) -> str:
    return f"{place.title} is not there, or not shared with this account any more"
