"""The one reader of streams in this process, and everybody who listens through it.

A listener joins before it reads the log for what it missed, so whatever comes in between waits in
its queue; what it gets twice it knows by its seq, and what it does not get shows as a hole. So the
hub may forget, repeat and restart, and still every listener sees each event once and in order.

While Redis is away the hub looks at SQL instead, and hands out snapshots.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from api.encoding import Line, line
from api.listening import Listener, Manner
from api.pictures import NOTHING, Kept, Pictures
from storage.errors import DatabaseUnavailable, StreamUnavailable
from storage.events import TERMINAL, Recorded
from storage.ids import RunId, Seq, TenantId

PATIENCE_SECONDS = 5.0
SETTLE_SECONDS = 0.01  # so that a hundred pages opened at once restart the reader once

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Watched:
    """A run somebody listens to. ``place``: how far the reader has come, if it reads it."""

    tenant: TenantId
    listeners: set[Listener] = field(default_factory=set[Listener])
    place: Seq | None = None
    heard_at: float = field(default_factory=time.monotonic)
    kept: Kept = NOTHING


@dataclass(slots=True)
class Hub:
    pictures: Pictures
    manner: Manner = field(default_factory=Manner)
    away: bool = False  # Redis does not answer
    closing: str | None = None

    _watched: dict[RunId, Watched] = field(init=False, default_factory=dict[RunId, Watched])
    _changed: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    def join(self, tenant: TenantId, run: RunId, *, bell: asyncio.Event | None = None) -> Listener:
        """Come in, behind, to a run of this tenant. Whoever joins must leave."""
        listener = Listener(run, self.manner.pending, bell=bell)
        self._watched.setdefault(run, Watched(tenant)).listeners.add(listener)
        if self.closing is not None:
            listener.leave(self.closing)
        return listener

    def serves(self, tenant: TenantId, run: RunId) -> bool:
        """Whether somebody listens to it already, so that it is known to be the tenant's."""
        watched = self._watched.get(run)
        return watched is not None and watched.tenant == tenant

    def arrived(self, listener: Listener, place: Seq) -> None:
        """The listener has read the log up to here: what follows comes through the hub."""
        watched = self._watched[listener.run]
        if watched.place is None:
            watched.place = place
            watched.heard_at = time.monotonic()
            self._changed.set()
        elif watched.place > place and not listener.has_next_of(place):
            listener.fall_behind()  # the reader went past while the listener looked at the log

    def leave(self, listener: Listener) -> None:
        listener.close()
        watched = self._watched[listener.run]
        watched.listeners.discard(listener)
        if not watched.listeners:
            del self._watched[listener.run]

    def close(self, reason: str) -> None:
        """Let everybody go, and whoever still comes."""
        self.closing = reason
        for listener in self._everybody():
            listener.leave(reason)

    @property
    def listeners(self) -> int:
        return sum(len(watched.listeners) for watched in self._watched.values())

    @property
    def _patience(self) -> float:
        return min(PATIENCE_SECONDS, self.manner.quiet.total_seconds())

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read_stream()
            except StreamUnavailable as error:
                log.warning("stream.away", cause=str(error), action=error.action)
                self.away = True
                await self._read_sql()
                self.away = False
                log.info("stream.back")
            except Exception as error:  # noqa: BLE001  # a bug must not leave everybody in silence
                await self._recover(error)
            for listener in self._everybody():
                listener.fall_behind(doubtful=True)

    async def _recover(self, error: Exception) -> None:
        log.error("stream.broke", exc_info=error)
        await asyncio.sleep(self.manner.poll.total_seconds())

    async def _read_stream(self) -> None:
        while True:
            places = self._places()
            if not places:
                await self._changed.wait()
                await self._settle()
                continue
            tail = self.pictures.log.tail(places, patience_seconds=self._patience)
            news = await self._unless_changed(tail)
            for run, recorded in (news or {}).items():
                self._deliver(run, recorded)
            await self._look_into_silence()

    async def _unless_changed(self, waiting: Awaitable[T]) -> T | None:
        """What it answers, or None as soon as somebody comes for whom it does not wait."""
        task = asyncio.ensure_future(waiting)
        change = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({task, change}, return_when=asyncio.FIRST_COMPLETED)
            if self._changed.is_set():
                await self._settle()
        finally:
            change.cancel()
            task.cancel()
        await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    async def _settle(self) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        self._changed.clear()

    def _deliver(self, run: RunId, recorded: Sequence[Recorded]) -> None:
        watched = self._watched.get(run)
        if watched is None:
            return
        for each in recorded:
            _tell(watched, line(each))
        last = recorded[-1]
        watched.place = None if last.event.kind in TERMINAL else last.seq
        watched.heard_at = time.monotonic()

    async def _look_into_silence(self) -> None:
        """A stream that says nothing may be gone, or nobody may be left to write to it."""
        now = time.monotonic()
        for run, watched in list(self._watched.items()):
            if watched.place is None or now - watched.heard_at < self.manner.quiet.total_seconds():
                continue
            watched.heard_at = now
            await self.pictures.mend(run)
            position = await self.pictures.log.position(run)
            if position is None or position.ended or position.seq != watched.place:
                for listener in watched.listeners:
                    listener.fall_behind()

    async def _read_sql(self) -> None:
        """Tell what SQL knows until Redis answers."""
        back = asyncio.create_task(self.pictures.reachable())
        try:
            while not back.done():
                await self._tell_from_sql()
                await asyncio.wait({back}, timeout=self.manner.poll.total_seconds())
        finally:
            back.cancel()

    async def _tell_from_sql(self) -> None:
        for run, watched in list(self._watched.items()):
            try:
                kept = await self.pictures.kept(run, watched.kept)
            except DatabaseUnavailable as error:
                log.warning("stream.blind", cause=str(error), action=error.action)
                return
            if kept.state != watched.kept.state:
                watched.kept = kept
                _tell(watched, kept.line())

    def _places(self) -> Mapping[RunId, Seq]:
        return {
            run: watched.place
            for run, watched in self._watched.items()
            if watched.place is not None
        }

    def _everybody(self) -> list[Listener]:
        return [each for watched in self._watched.values() for each in watched.listeners]


def _tell(watched: Watched, made: Line) -> None:
    for listener in watched.listeners:
        listener.offer(made)
