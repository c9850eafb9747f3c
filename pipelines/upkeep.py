"""What has to be done now and then so that nothing grows for ever. Every worker does it.

Each step is short and may be done twice, or by two at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from pipelines.rounds import every
from storage import artifacts, blobs, hints, requests, retention, webhooks
from storage.clock import now
from storage.database import Database, Tx
from storage.webhooks import sending

EVERY_SECONDS = 15 * 60.0
AT_ONCE = 500
LOST = timedelta(days=30)
"""How long what access was lost to can come back, with nothing to pay for it."""

ANSWERS = timedelta(days=7)
"""How long the same Idempotency-Key gets the same answer."""

DELIVERIES = timedelta(days=7)
"""How long a hint is known again: longer than its provider sends it again."""
KEPT = timedelta(days=90)

log = structlog.get_logger()


@dataclass(slots=True)
class Upkeep:
    """``grace``: how long what is gone from its source can come back. ``keep``: for runs' steps."""

    database: Database
    grace: timedelta
    keep: timedelta = KEPT

    async def watch(self) -> None:
        """Do it every quarter of an hour, until cancelled."""
        await every(EVERY_SECONDS, self.once, waits="upkeep.waits")

    async def once(self) -> None:
        """Purge what is gone for long, contents that nothing names, what nobody asks for again."""
        purged = await self._purge(artifacts.GONE, self.grace)
        purged += await self._purge(artifacts.ACCESS_LOST, LOST)
        swept = await self._all(lambda tx: blobs.sweep(tx, limit=AT_ONCE))
        async with self.database.transaction() as tx:
            answers = await requests.forget(tx, before=now() - ANSWERS)
        past = now() - DELIVERIES
        await self._all(lambda tx: hints.forget(tx, before=past, limit=AT_ONCE))
        old = now() - webhooks.KEPT
        told = await self._all(lambda tx: sending.forget(tx, before=old, limit=AT_ONCE))
        steps = await self._shorten()
        await retention.give_back(self.database)
        dropped = {"artifacts": purged, "contents": swept, "answers": answers, "told": told}
        if steps or any(dropped.values()):
            log.info("upkeep.done", **dropped, steps=steps)

    async def _shorten(self) -> int:
        """Run by run, so that no transaction is long."""
        before, after, total = now() - self.keep, None, 0
        while True:
            async with self.database.reading() as tx:
                some = await retention.long_over(tx, before=before, after=after, limit=AT_ONCE)
            for run in some:
                shorten = partial(retention.shorten, run=run, limit=AT_ONCE)
                total += await self._all(shorten)
            if len(some) < AT_ONCE:
                return total
            after = some[-1]

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
