"""A run as SQL knows it, the worker that tells its stream, and somebody who watches it.

Both check all the time what must never happen: a seq given twice, an event skipped, told twice or
told wrongly, a state that is not the truth's.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from storage.errors import AttemptFenced, StreamLost
from storage.events import Event, EventKind, EventLog, Frame, Gap, Recorded, Snapshot, State, fold
from storage.ids import Attempt, RunId, Seq, new_id
from storage.readers import follow
from storage.streams.memory import MemoryEventLog
from storage.streams.redis import RedisEventLog

LEAP = 2**20
FIRST_ATTEMPT = Attempt(1)
NONE = Seq(0)


@dataclass
class World:
    """A run as SQL knows it (``truth``), and the worker that tells its stream."""

    log: EventLog
    run: RunId = field(default_factory=lambda: RunId(new_id()))
    attempt: Attempt = FIRST_ATTEMPT
    truth: list[Event] = field(default_factory=list[Event])
    told: dict[Seq, Event] = field(default_factory=dict[Seq, Event])
    last: Seq = NONE
    lived_once: bool = True

    async def happen(self, name: str, subject: str, value: int) -> None:
        match name:
            case "tick":
                await self.tick(**{subject: value})
            case "burst":
                await self.burst(value, subject)
            case "milestone":
                await self.milestone(EventKind.ITEM_FAILED, **{subject: value})
            case "relay again":
                await self.relay(since=max(0, len(self.truth) - value))
            case "new attempt":
                self.attempt = Attempt(self.attempt + 1)
                await self.milestone(EventKind.STARTED, **{subject: value})
            case "zombie tick":
                await self.zombie_tick(**{subject: value})
            case _:
                await self.lose()

    async def burst(self, size: int, subject: str) -> None:
        for n in range(size):
            await self.tick(**{subject: n})

    async def tick(self, **patch: object) -> None:
        event = happening(EventKind.PROGRESS, self.attempt, patch)
        try:
            self.note(await self.log.append(self.run, event), event)
        except StreamLost:
            await self.reseed()
            self.note(await self.log.append(self.run, event), event)

    async def milestone(self, kind: EventKind, **patch: object) -> None:
        self.truth.append(happening(kind, self.attempt, patch))
        await self.relay(since=len(self.truth) - 1)

    async def relay(self, *, since: int) -> None:
        if await self.log.position(self.run) is None and self.told:
            await self.reseed()
        for number, event in enumerate(self.truth[since:], since + 1):
            before = await self.log.position(self.run)
            seq = await self.log.append(self.run, event, milestone=number)
            if before is None or seq > before.seq:
                self.note(seq, event)

    async def zombie_tick(self, **patch: object) -> None:
        if await self.log.position(self.run) is None:
            return
        with pytest.raises(AttemptFenced):
            await self.log.append(
                self.run, happening(EventKind.PROGRESS, Attempt(self.attempt - 1), patch)
            )

    async def lose(self) -> None:
        self.lived_once = False
        if isinstance(self.log, MemoryEventLog):
            self.log.lose(self.run)
        if isinstance(self.log, RedisEventLog):
            redis: Redis = self.log.redis
            await redis.delete(f"hw:{{{self.run}}}:events", f"hw:{{{self.run}}}:state")

    async def reseed(self) -> None:
        self.last = Seq((self.last // LEAP + 1) * LEAP)
        await self.log.seed(
            self.run,
            fold({}, self.truth),
            seq=self.last,
            milestones=len(self.truth),
            attempt=self.attempt,
            ended=any(event.kind == EventKind.SUCCEEDED for event in self.truth),
        )

    async def state(self) -> State:
        snapshot = await self.log.snapshot(self.run)
        assert snapshot is not None
        return snapshot.state

    def note(self, seq: Seq, event: Event) -> None:
        assert seq not in self.told, "a seq was given twice"
        self.told[seq] = event
        self.last = seq


@dataclass
class Reader:
    """Somebody's browser: keeps a state and a cursor, and is cut off after some frames."""

    world: World
    cursor: Seq | None = None
    state: State = field(default_factory=dict[str, Any])
    seen: list[Recorded] = field(default_factory=list[Recorded])
    first: Seq = NONE
    unbroken: bool = True

    async def read(self, *, frames: int = 10_000) -> None:
        """Read until cut off, or until there is nothing more for now."""
        stream = follow(self.world.log, self.world.run, cursor=self.cursor, patience_seconds=0)
        async with aclosing(stream):
            for _ in range(frames):
                if await self.is_up_to_date() or not await self.take_from(stream):
                    break
        if await self.is_up_to_date():
            assert self.state == await self.world.state()

    async def read_to_the_end(self, sizes: list[int]) -> None:
        for size in [*sizes, 100]:
            async with aclosing(follow(self.world.log, self.world.run, cursor=self.cursor)) as it:
                goes_on = [await self.take_from(it) for _ in range(size)]
            if not all(goes_on):
                return

    async def is_up_to_date(self) -> bool:
        position = await self.world.log.position(self.world.run)
        return position is not None and position.seq == self.cursor

    async def take_from(self, stream: AsyncIterator[Frame]) -> bool:
        """Take the next frame. False at the end of the stream."""
        frame = await anext(stream, None)
        if frame is not None:
            self.take(frame)
        return frame is not None

    def take(self, frame: Frame) -> None:
        match frame:
            case Gap(first, last):
                self.unbroken = False
                assert first <= last
            case Snapshot(as_of, state):
                self.first = self.first or as_of
                self.cursor, self.state = as_of, state
            case Recorded(seq, event):
                assert seq == (self.cursor or 0) + 1, "an event was skipped or told twice"
                assert event == self.world.told[seq]
                self.seen.append(frame)
                self.cursor, self.state = seq, fold(self.state, [event])


def happening(kind: EventKind, attempt: Attempt, patch: dict[str, Any]) -> Event:
    return Event(kind=kind, at=datetime(2026, 1, 2, tzinfo=UTC), attempt=attempt, patch=patch)
