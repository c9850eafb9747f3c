"""What has to be done now and then so that nothing grows for ever. Every worker does it.

Each step is short and may be done twice, or by two at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from pipelines.rounds import every
from storage import artifacts, blobs, hints, requests
from storage.clock import now
from storage.database import Database, Tx
from storage.webhooks import KEPT, sending

EVERY_SECONDS = 15 * 60.0
AT_ONCE = 500
LOST = timedelta(days=30)
"""How long what access was lost to can come back, with nothing to pay for it."""

ANSWERS = timedelta(days=7)
"""How long the same Idempotency-Key gets the same answer."""

DELIVERIES = timedelta(days=7)
"""How long a hint is known again: longer than its provider sends it again."""

log = structlog.get_logger()


@dataclass(slots=True)
class Upkeep:
    """``grace``: how long what is gone from its source can still come back."""

    database: Database
    grace: timedelta

    async def watch(self) -> None:
        """Do it every quarter of an hour, until cancelled."""
        await every(EVERY_SECONDS, self.once, waits="upkeep.waits")

    async def once(self) -> None:
        """Purge what is gone for long, contents that nothing names, answers nobody repeats.

        And what was told of events so long ago that nobody asks to be told again.
        """
        purged = await self._purge(artifacts.GONE, self.grace)
        purged += await self._purge(artifacts.ACCESS_LOST, LOST)
        swept = await self._all(lambda tx: blobs.sweep(tx, limit=AT_ONCE))
        async with self.database.transaction() as tx:
            answers = await requests.forget(tx, before=now() - ANSWERS)
        past = now() - DELIVERIES
        await self._all(lambda tx: hints.forget(tx, before=past, limit=AT_ONCE))
        told = await self._all(lambda tx: sending.forget(tx, before=now() - KEPT, limit=AT_ONCE))
        if purged or swept or answers or told:
            log.info(
                "upkeep.done", artifacts=purged, contents=swept, answers=answers, deliveries=told
            )

    async def _purge(self, reason: str, kept: timedelta) -> int:
        before = now() - kept
        return await self._all(lambda tx: artifacts.purge(tx, reason, before=before, limit=AT_ONCE))

    async def _all(self, some: Callable[[Tx], Awaitable[int]]) -> int:
        """Transaction by transaction, until there is less than one has room for."""
        total = 0
        while True:
            async with self.database.transaction() as tx:
                number = await some(tx)
            total += number
            if number < AT_ONCE:
                return total
