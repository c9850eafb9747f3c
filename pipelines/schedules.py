"""Comes to what is due by schedule: every worker looks, and each tick happens once.

Nobody leads. A tick is one transaction that locks its schedule (``storage.schedules``), so that two
who look at once, and one that dies in the middle, do no harm.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from pipelines.rounds import come_to, every
from storage import crashpoints, schedules
from storage.clock import shared_now
from storage.database import Database, Tx
from storage.ids import RunId
from storage.schedules import Outcome, Tick
from storage.schedules.firing import Scheduled

LOOK_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class Scheduler:
    """``started`` is told of each run, after the commit: to tell watchers, and to wake workers."""

    database: Database
    started: Callable[[RunId], None]
    now: Callable[[Tx], Awaitable[datetime]] = shared_now

    async def watch(self) -> None:
        """Look every few seconds, until cancelled."""
        await every(LOOK_SECONDS, self.look, waits="schedules.wait")

    async def look(self) -> Sequence[Tick]:
        """Come to all that is due. What another one came to first is not in the answer."""
        async with self.database.reading() as tx:
            due = await schedules.due(tx, moment=await self.now(tx))
        return await come_to(due, self._fire, waits="schedules.wait")

    async def _fire(self, which: Scheduled) -> Tick | None:
        async with self.database.transaction() as tx:
            tick = await schedules.fire(tx, which, moment=await self.now(tx))
            crashpoints.reached("schedule.firing")
        if tick is not None:
            self._tell(tick)
        return tick

    def _tell(self, tick: Tick) -> None:
        log.info(
            "schedule.tick",
            connection=str(tick.connection),
            due_at=tick.due_at.isoformat(),
            outcome=tick.outcome,
            run=str(tick.run),
            missed=tick.missed,
        )
        if tick.outcome is Outcome.STARTED and tick.run is not None:
            self.started(tick.run)
