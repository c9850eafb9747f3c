"""The event log in Redis.

For every run two keys, which both die ``keep`` after the last event (7 days by default):

- ``hw:{<run id>}:events``, a stream: entry ``<seq>-0`` is an event, the newest ``length`` are kept;
- ``hw:{<run id>}:state``, a hash: the folded state, JSON by field name, and the stream's own
  ``_seq``, ``_attempt``, ``_milestones``, ``_ended`` and ``_weight``.

A run's output is kept in the same way beside them: ``hw:{<run id>}:output`` and
``hw:{<run id>}:output-state``.
``hw:probe``, a string of a minute's life, is written to see whether it can be.

The braces are Redis Cluster's: they put both keys into one slot, as the scripts need it.
Commands are those of Redis 6.2, so any later one will do, and Valkey.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from importlib.resources import files
from itertools import chain
from typing import cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from storage.errors import AttemptFenced, MilestoneAhead, Refused, RunEnded, StreamLost
from storage.events import TERMINAL, Event, Position, Recorded, Slice, Snapshot, State, weigh
from storage.ids import Attempt, RunId, Seq
from storage.streams.connect import ANSWER_SECONDS, reaching, wait_for_entries
from storage.streams.rewriting import rewrite
from storage.streams.wire import pack, pack_state, unpack, unpack_state

PROBE = "hw:probe"
LARGEST_ID = 2**63
"""Stream ids end at 2**64, but a cursor may be anything that somebody puts into a URL."""

REFUSALS: Mapping[str, tuple[type[Refused], str]] = {
    "lost": (StreamLost, "Run {run} has no stream."),
    "ended": (RunEnded, "Run {run} is over, as of event {seq}."),
    "ahead": (MilestoneAhead, "Milestones before this event are missing in run {run}'s stream."),
    "fenced": (AttemptFenced, "A later attempt than {attempt} writes to run {run}."),
}
"""What the append script says instead of adding."""


class Channel(StrEnum):
    """Which of a run's two streams a log keeps."""

    EVENTS = "events"
    OUTPUT = "output"


@dataclass(slots=True)
class RedisEventLog:
    redis: Redis
    channel: Channel = field(default=Channel.EVENTS, kw_only=True)
    keep: timedelta = timedelta(days=7)
    length: int = 2_000
    answer_seconds: float = ANSWER_SECONDS

    _append: AsyncScript = field(init=False)
    _seed: AsyncScript = field(init=False)
    # the last seq we were given in each open run: what the server may not have forgotten since
    _told: dict[RunId, Seq] = field(init=False, default_factory=dict[RunId, Seq])

    def __post_init__(self) -> None:
        scripts = files("storage.streams")
        self._append = self.redis.register_script(scripts.joinpath("append.lua").read_text())
        self._seed = self.redis.register_script(scripts.joinpath("seed.lua").read_text())

    async def append(self, run: RunId, event: Event, *, milestone: int | None = None) -> Seq:
        packed = pack(event, milestone)
        arguments: list[str | int] = [
            *packed.entry.values(),
            _flag(event.kind in TERMINAL),
            self.length,
            self._keep_seconds,
            self._told.get(run, 0),
            "" if packed.weight is None else packed.weight,
            *chain.from_iterable(packed.replaces.items()),
        ]
        async with reaching(self.redis, seconds=self.answer_seconds):
            word, answer = await self._append(keys=self._keys(run), args=arguments)
        seq = Seq(answer)
        self._remember(run, seq, open_run=word in {"added", "known"} and event.kind not in TERMINAL)
        if word in REFUSALS:
            refusal, message = REFUSALS[word]
            raise refusal(message.format(run=run, seq=seq, attempt=event.attempt))
        return seq

    async def seed(
        self, run: RunId, state: State, *, seq: Seq, milestones: int, attempt: Attempt, ended: bool
    ) -> None:
        arguments: list[str | int] = [
            seq,
            milestones,
            attempt,
            _flag(ended),
            self._keep_seconds,
            weigh(state) or 0,
            *chain.from_iterable(pack_state(state).items()),
        ]
        async with reaching(self.redis, seconds=self.answer_seconds):
            await self._seed(keys=self._keys(run), args=arguments)

    async def snapshot(self, run: RunId) -> Snapshot | None:
        async with reaching(self.redis, seconds=self.answer_seconds):
            answer = await self.redis.hgetall(self._keys(run)[1])
        fields = cast(Mapping[str, str], answer)  # we decode responses; redis-py does not know it
        if not fields:
            return None
        return Snapshot(Seq(int(fields["_seq"])), unpack_state(fields), fields["_ended"] == "1")

    async def since(self, run: RunId, cursor: Seq, *, limit: int = 500) -> Slice:
        events, state = self._keys(run)
        first = f"{min(max(cursor, 0) + 1, LARGEST_ID)}-0"
        async with (
            reaching(self.redis, seconds=self.answer_seconds),
            self.redis.pipeline(transaction=True) as both,
        ):
            both.hmget(state, "_seq", "_ended")
            both.xrange(events, min=first, count=limit)
            (seq, ended), entries = await both.execute()
        recorded = tuple(unpack(_seq(entry), fields) for entry, fields in entries)
        follows = recorded[0].seq == cursor + 1 if recorded else seq == str(cursor)
        if not follows:
            return Slice((), complete=False)
        last = recorded[-1].seq if recorded else cursor
        return Slice(recorded, complete=True, ended=ended == "1" and seq == str(last))

    async def tail(
        self, cursors: Mapping[RunId, Seq], *, patience_seconds: float
    ) -> Mapping[RunId, Sequence[Recorded]]:
        runs = {self._keys(run)[0]: run for run in cursors}
        after = {key: f"{min(max(cursors[run], 0), LARGEST_ID)}-0" for key, run in runs.items()}
        if not after:
            await asyncio.sleep(patience_seconds)
            return {}
        found = await wait_for_entries(
            self.redis, after, patience_seconds=patience_seconds, limit=500
        )
        return {
            runs[key]: [unpack(_seq(entry), fields) for entry, fields in entries]
            for key, entries in found.items()
        }

    async def position(self, run: RunId) -> Position | None:
        async with reaching(self.redis, seconds=self.answer_seconds):
            asked = ["_seq", "_milestones", "_ended", "_weight"]
            meta = await self.redis.hmget(self._keys(run)[1], asked)
        seq, milestones, ended, weight = meta
        if seq is None or milestones is None:
            return None
        return Position(Seq(int(seq)), int(milestones), ended == "1", int(weight or 0))

    async def forget(self, runs: Collection[RunId]) -> None:
        async with reaching(self.redis, seconds=self.answer_seconds):
            for run in runs:
                self._told.pop(run, None)
                await self.redis.delete(*self._keys(run))

    async def scrub(self) -> None:
        await rewrite(self.redis)

    async def probe(self) -> None:
        async with reaching(self.redis, seconds=self.answer_seconds):
            await self.redis.set(PROBE, "", ex=60)

    def _keys(self, run: RunId) -> tuple[str, str]:
        """The run's events and the state that they add up to."""
        state = "state" if self.channel is Channel.EVENTS else f"{self.channel}-state"
        return f"hw:{{{run}}}:{self.channel}", f"hw:{{{run}}}:{state}"

    @property
    def _keep_seconds(self) -> int:
        return int(self.keep.total_seconds())

    def _remember(self, run: RunId, seq: Seq, *, open_run: bool) -> None:
        if open_run:
            self._told[run] = seq
        else:
            self._told.pop(run, None)


def _flag(value: bool) -> str:  # noqa: FBT001  # the subject itself
    return "1" if value else ""


def _seq(entry: str) -> Seq:
    return Seq(int(entry.partition("-")[0]))
