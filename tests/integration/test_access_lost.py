"""What access was lost to is hidden, told and kept, and comes back when the access does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from connectors.artifact import Artifact, ExternalId, PartitionKey, Ref, SkipReason
from connectors.events import (
    AccessLost,
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Seen,
    Skipped,
    Upsert,
)
from connectors.memory import MemoryConnector, MemoryCursor, Notes, memory_spec
from storage import artifacts
from storage.artifacts import ArtifactStatus
from storage.connections import Connection
from storage.database import Database
from storage.events import EventKind
from storage.ids import LOCAL_TENANT
from storage.runs import Run
from tests.ingesting import House, open_house

NAMES = {"ant": b"About ants.", "bee": b"About bees.", "cat": b"About cats."}


class Shared(Notes):
    """Notes of somebody else's, who says what we may see: of ``away`` ones only that they are."""

    away: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    shut = False


@dataclass(slots=True)
class Sharing(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        assert cursor is None or isinstance(cursor, MemoryCursor)
        source = self.source
        assert isinstance(source, Shared)
        if source.shut:
            yield AccessLost(partition)
        for name in () if source.shut else source.notes:
            ref = Ref(partition, ExternalId(name))
            if name in source.away:
                yield AccessLost(partition, ref)
            elif name in source.barred:
                yield Skipped(ref, SkipReason.IGNORED, "Their rules say so.", title=name)
            else:
                yield Upsert(self._artifact(ref))
        yield Checkpoint(partition, MemoryCursor(done=True), done=True)

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        source = self.source
        assert isinstance(source, Shared)
        out = source.away | source.barred
        there = [] if source.shut else [name for name in source.notes if name not in out]
        for name in there:
            ref = Ref(partition, ExternalId(name))
            yield Seen(ref, self._artifact(ref).version)
        yield CensusComplete(len(there))


@dataclass(slots=True)
class Renaming(MemoryConnector):
    def _artifact(self, ref: Ref) -> Artifact:
        number = str(self.source.generation)
        return Artifact(ref=ref, version=number, kind="note", title=f"name {number}")


async def statuses(house: House, connection: Connection) -> dict[str, ArtifactStatus]:
    async with house.services.database.reading() as tx:
        found = [
            row
            for status in (None, ArtifactStatus.HIDDEN)
            for row in await artifacts.page(
                tx, LOCAL_TENANT, connection.id, run=None, status=status, after=None, limit=100
            )
        ]
    return {row.external_id: row.status for row in found}


async def searchable(house: House, connection: Connection) -> int:
    async with house.services.database.reading() as tx:
        return await artifacts.searchable(tx, connection.id)


async def test_one_that_is_not_shared_any_more_is_hidden_and_comes_back(
    database: Database,
) -> None:
    source = Shared(dict(NAMES))
    async with open_house(database, memory_spec(source, Sharing)) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.away = frozenset({"bee"})
        lost = await house.ingest(connection)
        hidden = await statuses(house, connection)
        seen = await searchable(house, connection)
        again = await house.ingest(connection)
        source.away = frozenset()
        back = await house.ingest(connection)
        after = await statuses(house, connection)

    assert hidden["bee"] is ArtifactStatus.HIDDEN
    assert seen == 2
    assert (lost.counts.skipped, lost.counts.deleted) == ({"access_lost": 1}, 0)
    assert again.counts.skipped == {}
    assert (back.counts.processed, back.counts.embedded) == (1, 0)
    assert set(after.values()) == {ArtifactStatus.READY}
    assert all(run.counts.adds_up for run in (lost, again, back))


async def told_before_tidying(house: House, run: Run) -> int:
    """How many artifacts could be searched, as the run told it when all was crawled and read."""
    for event in await house.events(run.id):
        if event.kind is EventKind.STAGE_STARTED and event.data["stage"] == "tidy":
            return int(event.patch["searchable"])
    raise AssertionError("it was never tidied")


async def test_what_can_be_searched_is_told_exactly_as_artifacts_leave_and_come_back(
    database: Database,
) -> None:
    source = Shared(dict(NAMES))
    told: list[int] = []
    async with open_house(database, memory_spec(source, Sharing)) as house:
        connection = await house.connect("memory", {})

        async def ingest() -> None:
            told.append(await told_before_tidying(house, await house.ingest(connection)))

        await ingest()
        source.barred = frozenset({"cat"})
        new = {"ant": b"More about ants.", "dog": b"About dogs.", "eel": b"About eels."}
        source.notes.update(new)
        await ingest()
        source.away = frozenset({"bee"})
        await ingest()
        source.away, source.barred = frozenset(), frozenset()
        await ingest()
        at_last = await searchable(house, connection)

    assert told == [3, 4, 3, 5]
    assert at_last == told[-1]


async def test_part_of_a_source_that_is_shut_is_hidden_as_a_whole_and_comes_back(
    database: Database,
) -> None:
    source = Shared(dict(NAMES))
    async with open_house(database, memory_spec(source, Sharing)) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.shut = True
        lost = await house.ingest(connection)
        hidden = await statuses(house, connection)
        source.shut = False
        await house.ingest(connection)
        after = await statuses(house, connection)

    assert lost.counts.skipped == {"access_lost": 3}
    assert lost.counts.adds_up
    assert set(hidden.values()) == {ArtifactStatus.HIDDEN}
    assert set(after.values()) == {ArtifactStatus.READY}


async def test_new_name_of_the_same_content_is_kept(database: Database) -> None:
    source = Notes({"ant": b"About ants."})
    async with open_house(database, memory_spec(source, Renaming)) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.generation = 1
        second = await house.ingest(connection)
        async with house.services.database.reading() as tx:
            (row,) = await artifacts.page(
                tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=100
            )

    assert row.title == "name 1"
    assert (second.counts.processed, second.counts.unchanged) == (0, 1)
