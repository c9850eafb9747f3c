"""Sources whose truth is known: each can be changed at random, and says what should be found.

Between a source and the pipeline stands a ``Bridge``, which breaks off listings, tells half of
them, and kills whoever crosses it.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, cast

from connectors.access import Access, CredentialKind
from connectors.artifact import FailureClass, PartitionKey, Ref
from connectors.connector import Account, Connector, Fetched, Plan, Probe, Scope, Spec
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
)

Truth = Mapping[str, str]
"""What every artifact's text holds, by external id."""


class Killed(BaseException):
    """Nobody catches it: what was not committed is lost, and nothing more is said."""


@dataclass(slots=True)
class Trouble:
    """What goes wrong in a run: ``kill_at`` counts what is told, ``half`` lies in a census."""

    kill_at: int | None = None
    torn: bool = False
    half: bool = False

    def step(self) -> None:
        if self.kill_at is None:
            return
        self.kill_at -= 1
        if self.kill_at < 0:
            self.kill_at = None
            raise Killed


@dataclass(frozen=True, slots=True)
class Bridge:
    """A connector in trouble."""

    inner: Connector
    trouble: Trouble

    async def check(self) -> Sequence[Probe]:
        return await self.inner.check()

    async def account(self) -> Account | None:
        return await self.inner.account()

    async def discover(self) -> AsyncIterator[Scope]:
        async for scope in self.inner.discover():
            yield scope

    async def plan(self) -> Plan:
        return await self.inner.plan()

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        events = cast("AsyncGenerator[Event]", self.inner.read(partition, cursor))
        async with aclosing(events):
            async for event in events:
                self.trouble.step()
                if self.trouble.torn and isinstance(event, Checkpoint) and event.done:
                    said = "The listing broke off.", "Try again."
                    yield Failed(None, partition, FailureClass.TRANSIENT, *said)
                yield event

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        events = cast("AsyncGenerator[CensusEvent]", self.inner.census(partition))
        async with aclosing(events):
            listed = [event async for event in events]
        complete = any(isinstance(event, CensusComplete) for event in listed)
        if self.trouble.half and complete:
            listed = listed[: len(listed) // 2]
            listed = [*listed, CensusComplete(len(listed))]
        for event in listed:
            self.trouble.step()
            yield event

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        self.trouble.step()
        fetched = await self.inner.fetch(refs)
        self.trouble.step()
        return fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """``deeds`` are what people do there. ``account`` tells apart those of the same ``config``."""

    spec: Spec
    config: Mapping[str, Any]
    deeds: Sequence[Callable[[Random], Awaitable[None]]]
    truth: Callable[[], Truth]
    account: str | None = None
    trouble: Trouble = field(default_factory=Trouble)

    def bridged(self, own: Access | None = None) -> Spec:
        """The connector behind the bridge, with an access of the source's own if it is given."""

        @asynccontextmanager
        async def opening(config: Any, access: Access) -> AsyncGenerator[Connector]:
            async with self.spec.open(config, own or access) as connector:
                yield Bridge(connector, self.trouble)

        nobody = frozenset({CredentialKind.NONE})
        return replace(self.spec, open=opening, credentials=nobody, consent=None)

    async def change(self, dice: Random, *, times: int) -> None:
        for _ in range(times):
            await dice.choice(self.deeds)(dice)
