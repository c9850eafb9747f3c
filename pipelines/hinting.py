"""Leads what providers told of changes to runs: one a connection for all that came.

Every worker looks, as at schedules, and nobody needs to be the only one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from connectors.connector import Spec
from pipelines.rounds import come_to, every
from storage import crashpoints, hints
from storage.clock import shared_now
from storage.database import Database, Tx
from storage.hints import Pending
from storage.ids import RunId

LOOK_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class Hinting:
    """``started`` is told of each run, after the commit."""

    database: Database
    specs: Mapping[str, Spec]
    started: Callable[[RunId], None]
    now: Callable[[Tx], Awaitable[datetime]] = shared_now

    async def watch(self) -> None:
        """Look every few seconds, until cancelled."""
        await every(LOOK_SECONDS, self.look, waits="hints.wait")

    async def look(self) -> Sequence[RunId]:
        """Start what is due, and answer what was started."""
        async with self.database.reading() as tx:
            due = await hints.due(tx, moment=await self.now(tx))
        return await come_to(due, self._lead, waits="hints.wait")

    async def _lead(self, pending: Pending) -> RunId | None:
        tenant, connection, kind = pending
        async with self.database.transaction() as tx:
            moment, place = await self.now(tx), self._place(kind)
            run = await hints.lead(tx, tenant, connection, moment=moment, place=place)
            crashpoints.reached("hints.leading")
        if run is not None:
            log.info("hints.led", connection=str(connection), run=str(run))
            self.started(run)
        return run

    def _place(self, kind: str) -> str | None:
        spec = self.specs.get(kind)
        return None if spec is None or spec.hearing is None else spec.hearing.place
