"""The heart of a worker: a thread that says every few seconds that its attempts are alive.

It has a loop and a connection of its own, so a blocked main loop still beats; how late that loop
is, and whether each attempt gets on, goes with the beat. What comes back is what the worker still
holds. An attempt that another one has taken over, or whose lease was revoked, is told so in the
main loop: at once, or as soon as that loop is not blocked any more.
"""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from pipelines.settings import PipelineSettings
from pipelines.vital import Mine, Vital
from storage import crashpoints, runs, workers
from storage.database import Database
from storage.errors import StorageUnavailable
from storage.runs import Beat, Held

LAST_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(slots=True)
class Lag:
    """How late a loop is: asked from another thread, answered when the loop comes to it."""

    loop: asyncio.AbstractEventLoop
    _asked: float | None = None
    _last: float = 0.0

    def measure(self) -> timedelta:
        asked, now = self._asked, time.monotonic()
        if asked is not None:
            return timedelta(seconds=now - asked)
        self._asked = now
        with suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self._answer)
        return timedelta(seconds=self._last)

    def _answer(self) -> None:
        asked, self._asked = self._asked, None
        self._last = time.monotonic() - asked if asked is not None else 0.0


@dataclass(slots=True, kw_only=True)
class Heart:
    """Beats from ``start`` to ``stop``. Everything public may be read in the main loop."""

    settings: PipelineSettings
    database: Database
    vitals: Mapping[Mine, Vital]
    draining: Callable[[], bool]
    fenced: Callable[[Mine], None]
    """Called in the main loop for an attempt that must stop."""

    mine: Sequence[Held] = ()
    """What the worker held at the last beat."""

    lag: timedelta = timedelta(0)
    _beaten: float = float("-inf")
    _steady: float = float("inf")
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """It has beaten."""

    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    def start(self) -> None:
        main = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(main,), name="heart", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Beat no more, and leave the list of workers."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LAST_SECONDS)

    def insist(self) -> None:
        """Raises what ended it: without a heart no worker may go on."""
        if self._error is not None:
            raise self._error

    @property
    def strong(self) -> bool:
        """Whether we could hold on to what we took now."""
        return time.monotonic() - self._beaten <= self.settings.lease_seconds / 2

    @property
    def steady(self) -> bool:
        """Whether we reached the database for a lease's time: who is silent now may be dead.

        After an outage of the database everybody is late, and nobody has died.
        """
        return self.strong and time.monotonic() - self._steady >= self.settings.lease_seconds

    def _run(self, main: asyncio.AbstractEventLoop) -> None:
        try:
            asyncio.run(self._live(main))
        except BaseException as error:
            self._error = error  # see ``insist``: nobody joins this thread to hear of it
            log.exception("heart.stopped")
            raise

    async def _live(self, main: asyncio.AbstractEventLoop) -> None:
        lag = Lag(main)
        async with self.database.again() as database:
            while not self._stopping.is_set():
                self.lag = lag.measure()
                begun = time.monotonic()
                try:
                    await self._beat(database, main)
                    self._felt(begun, main)
                except StorageUnavailable as error:
                    log.warning("heart.unheard", reason=str(error))
                await asyncio.to_thread(self._stopping.wait, self.settings.renew_seconds)
            with suppress(StorageUnavailable):
                async with database.transaction() as tx:
                    await workers.leave(tx, self.settings.name)

    async def _beat(self, database: Database, main: asyncio.AbstractEventLoop) -> None:
        settings, vitals = self.settings, dict(self.vitals)  # first: what is adopted later is new
        beats = {held: self._told(vital) for held, vital in vitals.items()}
        async with database.transaction() as tx:
            mine = await runs.beat(tx, worker=settings.name, lease=settings.lease, beats=beats)
            known = await workers.beat(tx, settings.name, draining=self.draining(), held=len(mine))
            if not known:
                await workers.register(
                    tx,
                    name=settings.name,
                    version=settings.version,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    slots=settings.slots,
                )
            gone = await runs.taken(tx, [held for held in vitals if not _holds(mine, held)])
            crashpoints.reached("lease.renewing")
        self.mine = mine
        for held in gone:
            main.call_soon_threadsafe(self.fenced, held)

    def _told(self, vital: Vital) -> Beat:
        return Beat(
            lag_ms=round(self.lag.total_seconds() * 1000),
            progress=str(vital.steps),
            hold_seconds=round(vital.patience.total_seconds()),
        )

    def _felt(self, begun: float, main: asyncio.AbstractEventLoop) -> None:
        if begun - self._beaten > self.settings.lease_seconds:
            self._steady = begun
        self._beaten = begun
        main.call_soon_threadsafe(self.begun.set)


def _holds(mine: Sequence[Held], held: Mine) -> bool:
    return any((each.run, each.attempt) == held for each in mine)
