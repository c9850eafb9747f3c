"""Tells those who watch what a run does, in the background, so that no work ever waits for it.

Milestones are in SQL already; they are carried into the stream as soon as they are committed. What
moved in between is told by ticks, at most four a second, and only the latest counts. So there is
nothing to queue while Redis is away: when it is back, the milestones come out of SQL, and one tick
says where things are now.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from pipelines.context import Clock, Retrying
from pipelines.progress import Progress
from storage.errors import (
    DatabaseUnavailable,
    MilestoneAhead,
    Refused,
    StreamLost,
    StreamUnavailable,
)
from storage.events import Event, EventKind, EventLog, RunStatus
from storage.ids import Attempt, RunId, Seq
from storage.relay import Relay

TICK_SECONDS = 0.25
RISING = frozenset({"counts", "stages", "searchable"})
HIDDEN = ("status", "reason")
PATIENCE_SECONDS = 1.0  # between two tries to reach a Redis that is away

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Reporter:
    run: RunId
    attempt: Attempt
    relay: Relay
    log: EventLog
    clock: Clock
    progress: Progress
    seq: Seq
    _news: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _milestones: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _told: dict[str, Any] = field(init=False, default_factory=dict[str, Any])
    _retrying: Retrying | None = field(init=False, default=None)
    _next_tick: float = field(init=False, default=0.0)
    _ended: bool = field(init=False, default=False)
    _held_up: Mapping[str, Any] | None = field(init=False, default=None)
    _standing: dict[str, Any] = field(init=False, default_factory=dict[str, Any])
    """What the milestones say that a hold-up hides while it lasts."""

    def moved(self) -> None:
        """Something is different: the next tick tells it."""
        self._news.set()

    def committed(self, patch: Mapping[str, Any], *, last: bool) -> None:
        """Milestones are in SQL that fold to this: carry them into the stream at once."""
        self._told.update(patch)
        self._standing.update({key: patch[key] for key in HIDDEN if key in patch})
        self._ended = last
        self._milestones.set()
        self._news.set()

    def held_up(self, reason: Mapping[str, Any] | None) -> None:
        """Nothing can be committed for now: the run waits, which only the stream can tell."""
        if reason != self._held_up:
            self._held_up = reason
            self._news.set()

    def retrying(self, news: Retrying) -> None:
        self.progress.activity = (
            f"Trying again: {news.component}, {news.attempt} of {news.of} ({news.reason})"
        )
        self._retrying = news
        self._news.set()

    async def report(self) -> None:
        """Tell whatever happens, until cancelled or until the run is another's."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._tell()
            except (StreamUnavailable, DatabaseUnavailable):
                self._news.set()
                await asyncio.sleep(PATIENCE_SECONDS)
            except (StreamLost, MilestoneAhead):  # the relay mends both
                self._told.clear()
                self._milestones.set()
                self._news.set()
            except Refused as refusal:
                log.info("reporter.silenced", reason=str(refusal))
                return
            await self._pause()

    async def finish(self) -> bool:
        """Carry the last milestones over. False if Redis is away: somebody must do it later."""
        try:
            await self.relay.publish(self.run)
        except (StreamUnavailable, DatabaseUnavailable):
            return False
        return True

    async def _tell(self) -> None:
        while self._milestones.is_set():
            await self._publish()
        if self._ended:
            return
        if asyncio.get_running_loop().time() < self._next_tick:
            self._news.set()
            return
        # From here to the append nothing may wait: a milestone that comes now is told after it.
        patch = {**self.progress.patch(now=self.clock.monotonic()), **self._stand()}
        moved = {key: value for key, value in patch.items() if self._told.get(key) != value}
        if not moved:
            return
        if moved.keys() & RISING:  # by them the stream knows a tick that came too late
            moved |= {key: patch[key] for key in RISING}
        news, self._retrying = self._retrying, None
        tick = Event(
            kind=EventKind.PROGRESS,
            at=self.clock.now(),
            attempt=self.attempt,
            data={"retrying": _json(news)} if news else {},
            patch=moved,
        )
        self._next_tick = asyncio.get_running_loop().time() + TICK_SECONDS
        self.seq = await self.log.append(self.run, tick)
        self._told.update(moved)

    def _stand(self) -> dict[str, Any]:
        """How the run stands: as its milestones say, unless it is held up."""
        if self._held_up is None:
            return self._standing
        waiting = {"status": RunStatus.WAITING, "reason": self._held_up}
        return {**waiting, "activity": self._held_up["message"], "rate": None, "eta": None}

    async def _publish(self) -> None:
        self._milestones.clear()
        try:
            self.seq = await self.relay.publish(self.run) or self.seq
        except (StreamUnavailable, DatabaseUnavailable):
            self._milestones.set()
            raise

    async def _pause(self) -> None:
        """Until the next tick may be told; milestones do not wait so long."""
        left = self._next_tick - asyncio.get_running_loop().time()
        if left > 0:
            # Not wait_for, which in 3.11 may swallow the cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._milestones.wait()


def _json(news: Retrying) -> Mapping[str, Any]:
    return {
        "component": news.component,
        "attempt": news.attempt,
        "of": news.of,
        "at": news.at.isoformat(),
        "reason": news.reason,
    }
