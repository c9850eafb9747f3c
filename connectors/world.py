"""A source under test that can be changed, and the ways to look at what is told of it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from pydantic import BaseModel

from connectors.access import Access, Anonymous, Given
from connectors.artifact import Artifact, ExternalId, PartitionKey, Ref
from connectors.connector import Connector, Spec
from connectors.events import (
    AccessLost,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Skipped,
    Tombstone,
    Upsert,
)

Outcome = Upsert | Skipped | Failed | Tombstone | AccessLost


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """At least three artifacts, with a checkpoint among them.

    ``edit`` changes the content of one artifact, ``remove`` takes one away. ``expire`` makes every
    saved cursor unknown, ``interrupt`` makes a part of the listing fail, ``nowhere`` is the
    configuration of a source that is not there: leave out what cannot happen at this source.

    ``access`` is the credential it opens with. ``outdate`` makes the source refuse the present one
    while ``access.renew`` gives one it takes; ``revoke`` makes it refuse whatever there is.
    """

    spec: Spec
    config: BaseModel
    partition: PartitionKey
    edit: Callable[[], Awaitable[ExternalId]]
    remove: Callable[[], Awaitable[ExternalId]]
    expire: Callable[[], Awaitable[None]] | None = None
    interrupt: Callable[[], Awaitable[None]] | None = None
    nowhere: BaseModel | None = None
    access: Access = field(default_factory=lambda: Given(Anonymous()))
    outdate: Callable[[], Awaitable[None]] | None = None
    revoke: Callable[[], Awaitable[None]] | None = None

    def open(self) -> AbstractAsyncContextManager[Connector]:
        return self.spec.open(self.config, self.access)

    async def read(self, cursor: Cursor | None = None, *, stop: int | None = None) -> list[Event]:
        """Read to the end, or crash after ``stop`` events. The cursor comes out of storage."""
        place = self.stored(cursor) if cursor else None
        told: list[Event] = []
        async with self.open() as connector:
            events = connector.read(self.partition, place)
            async for event in events:
                told.append(event)
                if len(told) == stop:
                    break
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        return told

    async def census(self) -> list[CensusEvent]:
        async with self.open() as connector:
            return [event async for event in connector.census(self.partition)]

    def stored(self, cursor: Cursor) -> Cursor:
        """What comes back of a cursor that was put into the database."""
        return self.spec.cursor.model_validate_json(cursor.model_dump_json())


def outcomes(events: Sequence[Event]) -> list[Outcome]:
    """What was said about single artifacts."""
    return [
        event
        for event in events
        if isinstance(event, Upsert | Skipped | Tombstone)
        or (isinstance(event, Failed | AccessLost) and event.ref is not None)
    ]


def refs(told: Sequence[Outcome]) -> list[Ref]:
    return list(_refs(told))


def artifacts(events: Sequence[Event]) -> list[Artifact]:
    return [event.artifact for event in events if isinstance(event, Upsert)]


def versions(events: Sequence[Event]) -> dict[ExternalId, str]:
    return {artifact.ref.external_id: artifact.version for artifact in artifacts(events)}


def checkpoints(events: Sequence[Event]) -> list[Checkpoint]:
    return [event for event in events if isinstance(event, Checkpoint)]


def _refs(told: Sequence[Outcome]) -> Iterator[Ref]:
    for event in told:
        if isinstance(event, Upsert):
            yield event.artifact.ref
        elif event.ref is not None:
            yield event.ref
