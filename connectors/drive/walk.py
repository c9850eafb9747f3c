"""The way of a read through a log of Drive: down its files, then along what happened meanwhile."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from connectors.artifact import Artifact
from connectors.drive import protocol
from connectors.drive.config import DriveCursor
from connectors.drive.library import Library
from connectors.drive.protocol import Answer, Change, Log, is_folder
from connectors.drive.shelf import Shelf
from connectors.drive.tree import Tree
from connectors.events import AccessLost, Event, Tombstone, Total, Upsert
from connectors.google.walk import Phase, Walk


@dataclass(slots=True)
class DriveWalk(Walk[DriveCursor]):
    library: Library
    log: Log
    tree: Tree
    shelf: Shelf

    async def begin(self) -> Sequence[Event]:
        self.quiet = self.place.phase is Phase.DONE
        if not self.place.anchor:
            self.move(anchor=await self.library.position(self.log))
        if self.log.picked and self.place.phase is Phase.DONE:
            self.list_again()  # they are few, and Google may not tell what happens to them
        return []

    async def down(self) -> AsyncIterator[Sequence[Event]]:
        while self.place.phase is Phase.LISTING:
            self.quiet = False
            files, token = await self.library.listed(self.log, self.place.token)
            events = [event for file in files async for event in self._there(file)]
            listed = self.place.listed + len(events)
            self.move(token=token, listed=listed)
            if not token:
                self.move(phase=Phase.REPLAY, listed=0)
            yield self.told([*events, Total(self.partition, listed, exact=False)])

    async def along(self) -> AsyncIterator[Sequence[Event]]:
        more = True
        while more:
            told = await self.library.changes(self.log, self.place.anchor)
            more = told.more
            events: list[Event] = [AccessLost(Log(drive).key) for drive in told.lost]
            for change in told.changes:
                events += [event async for event in self._changed(change)]
            self.move(anchor=told.anchor, phase=Phase.REPLAY)
            yield self.told(events)

    async def _changed(self, change: Change) -> AsyncIterator[Event]:
        if change.sank or change.file is None or change.left:
            self.lose()
        if change.file is None:
            # Deleted for good, or not shared any more: Google does not say which.
            self.quiet = False
            yield AccessLost(self.partition, self.log.ref(change.id))
        elif change.left:
            yield Tombstone(self.log.ref(change.id))
        elif is_folder(change.file):
            async for event in self._folder(change.file):
                yield event
        else:
            async for event in self._file(change.file):
                yield event

    async def _file(self, file: Answer) -> AsyncIterator[Event]:
        found = False
        if not file.get("trashed"):
            async for event in self._there(file):
                found = True
                yield event
        if not found:
            self.lose()
            yield Tombstone(self.log.ref(file["id"]))

    async def _folder(self, folder: Answer) -> AsyncIterator[Event]:
        """Nothing is told of what lies in a folder that moves or goes: all of it is looked at."""
        self.tree.note(folder)
        self.lose()
        async for file in self._inside(folder["id"]):
            async for event in self._file(file):
                yield event

    async def _inside(self, folder: str) -> AsyncIterator[Answer]:
        """The files in a folder, and in those in it."""
        seen, unseen = {folder}, [folder]
        while unseen:
            async for each in self.library.inside(self.log, unseen.pop()):
                if not is_folder(each):
                    yield each
                elif each["id"] not in seen:
                    self.tree.note(each)
                    seen.add(each["id"])
                    unseen.append(each["id"])

    async def _there(self, file: Answer) -> AsyncIterator[Event]:
        """What is told of a file that is not in the trash: nothing, if it is not wanted."""
        folders = await self.tree.above(file)
        if folders is None:
            return
        told = protocol.judge(self.log, file, folders, max_bytes=self.shelf.max_bytes)
        if isinstance(told, Artifact):
            self.shelf.put(file)
        yield Upsert(told) if isinstance(told, Artifact) else told
