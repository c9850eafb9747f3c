"""A connector that breaks a promise is caught by the check of that promise."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import pytest

from connectors import conformance
from connectors.artifact import Artifact, FailureClass, PartitionKey, Ref
from connectors.conformance import Promise, PromiseBroken
from connectors.connector import Fetched, Partition, Plan, Probe
from connectors.errors import Cause, ReauthorizationNeeded, SourceUnavailable
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Total,
    Upsert,
)
from connectors.memory import MemoryConnector, MemoryCursor
from tests.notes import locked_world, notes_world


class FindsGoodThingsBad(MemoryConnector):
    async def check(self) -> Sequence[Probe]:
        return [Probe("notes", well=False, detail="no", action="")]


class ForgetsItsPlan(MemoryConnector):
    async def plan(self) -> Plan:
        return Plan((Partition(PartitionKey("other"), "Other"),))


class NeverTheSameTwice(MemoryConnector):
    """Every other read goes backwards, as a listing without an order may."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        events = [event async for event in super().read(partition, cursor)]
        upserts = [event for event in events if isinstance(event, Upsert)]
        self.source.generation = -1 - self.source.generation
        for event in upserts[:: -1 if self.source.generation else 1]:
            yield event
        yield events[-1]


class NeverEnds(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        async for event in super().read(partition, cursor):
            if not (isinstance(event, Checkpoint) and event.done):
                yield event


class RepeatsItself(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        async for event in super().read(partition, cursor):
            yield event
            if isinstance(event, Upsert):
                yield event


class Miscounts(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        yield Total(partition, 99, exact=True)
        async for event in super().read(partition, cursor):
            if not isinstance(event, Total):
                yield event


class FailsWithoutAdvice(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        yield Failed(None, partition, FailureClass.TRANSIENT, "a page is torn", "")
        async for event in super().read(partition, cursor):
            yield event


class ChecksBeforeItTells(MemoryConnector):
    """Its checkpoints promise one artifact more than was yielded."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        held: Event | None = None
        async for event in super().read(partition, cursor):
            if held and (isinstance(event, Upsert) or _is_last(event)):
                yield held
                held = None
            if isinstance(event, Upsert):
                held = event
            else:
                yield event


class StartsOver(MemoryConnector):
    """It gives a cursor and does not heed it."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        del cursor
        async for event in super().read(partition, None):
            yield event


class Hoarding(MemoryCursor):
    seen: tuple[str, ...] = ()


class ListsWhatItSaw(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        names = tuple(self.source.notes)
        async for event in super().read(partition, cursor):
            if isinstance(event, Checkpoint):
                cursor = Hoarding(**event.cursor.model_dump(), seen=names)
                yield Checkpoint(partition, cursor, done=event.done)
            else:
                yield event


class ThinksItIsDone(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        if isinstance(cursor, MemoryCursor) and cursor.done:
            yield Checkpoint(partition, cursor, done=True)
            return
        async for event in super().read(partition, cursor):
            yield event


class TrustsOldCursors(MemoryConnector):
    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        if isinstance(cursor, MemoryCursor):
            cursor = cursor.model_copy(update={"generation": self.source.generation})
        async for event in super().read(partition, cursor):
            yield event


class KeepsItsVersions(MemoryConnector):
    def _artifact(self, ref: Ref) -> Artifact:
        return replace(super()._artifact(ref), version="1")


class ChangesEveryVersion(MemoryConnector):
    def _artifact(self, ref: Ref) -> Artifact:
        everything = b"".join(self.source.notes.values())
        return replace(super()._artifact(ref), version=everything.hex())


class FetchesOnlyTheFirst(MemoryConnector):
    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        return await super().fetch(refs[:1])


class FallsOverWhatIsGone(MemoryConnector):
    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        return {ref: self.source.notes[ref.external_id] for ref in refs}


class CallsItUnavailable(MemoryConnector):
    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        notes = self.source.notes
        return {ref: notes.get(ref.external_id, SourceUnavailable("later")) for ref in refs}


class OverlooksOne(MemoryConnector):
    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        events = [event async for event in super().census(partition)]
        for event in events[1:-1]:
            yield event
        yield CensusComplete(len(events) - 2)


class RemembersTheDead(MemoryConnector):
    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        self.source.notes |= {"dog": b"dog"}
        async for event in super().census(partition):
            yield event


class AlwaysComplete(MemoryConnector):
    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        events = [event async for event in super().census(partition)]
        for event in events:
            yield event
        if not isinstance(events[-1], CensusComplete):
            yield CensusComplete(len(events))


class GivesUpAtTheDoor(MemoryConnector):
    async def _enter(self) -> None:
        if not self._opens(await self.access.credential()):
            raise ReauthorizationNeeded(Cause.REVOKED, "The drawer")


class CallsItEmpty(MemoryConnector):
    """It reads what it may, which is nothing: the empty list that deletes everything."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        try:
            async for event in super().read(partition, cursor):
                yield event
        except ReauthorizationNeeded:
            yield Checkpoint(partition, MemoryCursor(done=True), done=True)


BREACHES = [
    (FindsGoodThingsBad, conformance.check_answers_with_probes),
    (ForgetsItsPlan, conformance.plan_names_the_partition),
    (NeverTheSameTwice, conformance.reading_is_repeatable),
    (NeverEnds, conformance.reading_ends_with_its_last_checkpoint),
    (RepeatsItself, conformance.ids_can_be_stored),
    (Miscounts, conformance.totals_add_up),
    (FailsWithoutAdvice, conformance.failures_say_what_to_do),
    (ChecksBeforeItTells, conformance.crash_after_any_event_loses_nothing),
    (StartsOver, conformance.crash_after_any_event_loses_nothing),
    (ListsWhatItSaw, conformance.cursors_are_small),
    (ThinksItIsDone, conformance.finished_cursor_begins_anew),
    (TrustsOldCursors, conformance.expired_cursor_says_so),
    (KeepsItsVersions, conformance.versions_change_with_the_content),
    (ChangesEveryVersion, conformance.versions_change_with_the_content),
    (FetchesOnlyTheFirst, conformance.fetch_answers_every_ref),
    (CallsItUnavailable, conformance.fetch_of_what_vanished_says_so),
    (OverlooksOne, conformance.census_is_what_is_there),
    (RemembersTheDead, conformance.census_forgets_what_is_removed),
    (AlwaysComplete, conformance.interrupted_census_is_not_complete),
    (GivesUpAtTheDoor, conformance.refused_credential_is_renewed),
    (CallsItEmpty, conformance.dead_credential_asks_its_owner),
]


@pytest.mark.parametrize(("connector", "promise"), BREACHES)
async def test_breach_is_caught(connector: type[MemoryConnector], promise: Promise) -> None:
    world = locked_world(connector)

    with pytest.raises(PromiseBroken):
        await promise(world)


async def test_connector_that_raises_instead_of_answering_is_caught() -> None:
    world = notes_world(FallsOverWhatIsGone)

    with pytest.raises(KeyError):
        await conformance.fetch_of_what_vanished_says_so(world)


def test_every_promise_has_a_breach_that_proves_it() -> None:
    proven = {promise for _, promise in BREACHES}

    assert proven == set(conformance.PROMISES)


def _is_last(event: Event) -> bool:
    return isinstance(event, Checkpoint) and event.done
