"""The event log in this process: the same promises as in Redis, for tests and single programs.

Events travel through the same JSON, so that what Redis would refuse or change is refused and
changed here. ``lose`` is what FLUSHALL is there.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from storage.errors import AttemptFenced, MilestoneAhead, RunEnded, StreamLost
from storage.events import TERMINAL, Event, Position, Recorded, Slice, Snapshot, State, weigh
from storage.ids import Attempt, RunId, Seq
from storage.streams.wire import Packed, pack, pack_state, unpack, unpack_state


@dataclass(slots=True)
class _Stream:
    seq: Seq
    attempt: Attempt
    milestones: int
    ended: bool
    weight: int
    state: dict[str, str]
    events: deque[tuple[Seq, Mapping[str, str]]]


@dataclass(slots=True)
class MemoryEventLog:
    length: int = 2_000

    _streams: dict[RunId, _Stream] = field(init=False, default_factory=dict[RunId, _Stream])
    _grown: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def append(self, run: RunId, event: Event, *, milestone: int | None = None) -> Seq:
        packed = pack(event, milestone)
        stream = self._streams.get(run)
        if stream is None and milestone != 1:
            raise StreamLost(f"Run {run} has no stream.")
        if stream is None:
            stream = self._begin(run, Seq(0), event.attempt)
        if milestone is not None and milestone <= stream.milestones:
            return stream.seq
        _refuse(stream, event, milestone)
        if milestone is None and packed.weight is not None and packed.weight < stream.weight:
            return stream.seq
        stream.weight = max(stream.weight, packed.weight or 0)
        stream.attempt = Attempt(max(stream.attempt, event.attempt))
        stream.milestones = milestone or stream.milestones
        stream.ended = event.kind in TERMINAL
        return self._add(stream, packed)

    async def seed(
        self, run: RunId, state: State, *, seq: Seq, milestones: int, attempt: Attempt, ended: bool
    ) -> None:
        fields = pack_state(state)
        stream = self._streams.get(run)
        if stream is not None and stream.seq >= seq:
            return
        stream = self._begin(run, seq, attempt)
        stream.state, stream.milestones, stream.ended = fields, milestones, ended
        stream.weight = weigh(state) or 0

    async def snapshot(self, run: RunId) -> Snapshot | None:
        stream = self._streams.get(run)
        if stream is None:
            return None
        return Snapshot(stream.seq, unpack_state(stream.state), stream.ended)

    async def since(self, run: RunId, cursor: Seq, *, limit: int = 500) -> Slice:
        stream = self._streams.get(run)
        if stream is None:
            return Slice((), complete=False)
        recorded = tuple(islice(_after(stream, cursor), limit))
        follows = recorded[0].seq == cursor + 1 if recorded else stream.seq == cursor
        if not follows:
            return Slice((), complete=False)
        last = recorded[-1].seq if recorded else cursor
        return Slice(recorded, complete=True, ended=stream.ended and last == stream.seq)

    async def tail(
        self, cursors: Mapping[RunId, Seq], *, patience_seconds: float
    ) -> Mapping[RunId, Sequence[Recorded]]:
        found = self._news(cursors)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                while not found:
                    await self._grown.wait()
                    found = self._news(cursors)
        return found

    async def position(self, run: RunId) -> Position | None:
        stream = self._streams.get(run)
        if stream is None:
            return None
        return Position(stream.seq, stream.milestones, stream.ended, stream.weight)

    async def forget(self, runs: Collection[RunId]) -> None:
        for run in runs:
            self._streams.pop(run, None)

    async def scrub(self) -> None:
        """It has no file."""

    async def probe(self) -> None:
        """It is there."""

    def lose(self, run: RunId) -> None:
        self._streams.pop(run, None)

    def _begin(self, run: RunId, seq: Seq, attempt: Attempt) -> _Stream:
        events = deque[tuple[Seq, Mapping[str, str]]](maxlen=self.length)
        self._streams[run] = _Stream(
            seq, attempt, 0, ended=False, weight=0, state={}, events=events
        )
        return self._streams[run]

    def _add(self, stream: _Stream, packed: Packed) -> Seq:
        stream.seq = Seq(stream.seq + 1)
        stream.state.update(packed.replaces)
        stream.events.append((stream.seq, packed.entry))
        self._grown.set()
        self._grown = asyncio.Event()
        return stream.seq

    def _news(self, cursors: Mapping[RunId, Seq]) -> Mapping[RunId, Sequence[Recorded]]:
        news = {
            run: tuple(_after(self._streams[run], cursor))
            for run, cursor in cursors.items()
            if run in self._streams
        }
        return {run: recorded for run, recorded in news.items() if recorded}


def _refuse(stream: _Stream, event: Event, milestone: int | None) -> None:
    if stream.ended:
        raise RunEnded("The run is over.")
    if milestone is not None and milestone > stream.milestones + 1:
        raise MilestoneAhead("Milestones before this one are missing.")
    if milestone is None and event.attempt < stream.attempt:
        raise AttemptFenced("A later attempt writes to this run.")
    if milestone is None and event.attempt > stream.attempt:
        raise MilestoneAhead("The milestones of this attempt are missing.")


def _after(stream: _Stream, cursor: Seq) -> Iterator[Recorded]:
    return (unpack(seq, fields) for seq, fields in stream.events if seq > cursor)
