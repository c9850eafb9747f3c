"""What has to be done now and then so that nothing grows for ever. Every worker does it.

Each step is short and may be done twice, or by two at once.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from storage import artifacts
from storage.clock import now
from storage.database import Database
from storage.errors import Refused, StorageUnavailable

EVERY_SECONDS = 15 * 60.0
AT_ONCE = 500

log = structlog.get_logger()


@dataclass(slots=True)
class Upkeep:
    """``grace``: how long what is gone from its source can still come back."""

    database: Database
    grace: timedelta

    async def watch(self) -> None:
        """Do it every quarter of an hour, until cancelled."""
        while True:
            try:
                await self.once()
            except (StorageUnavailable, Refused) as error:
                log.warning("upkeep.waits", reason=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> None:
        purged = 0
        while True:
            async with self.database.transaction() as tx:
                some = await artifacts.purge(tx, before=now() - self.grace, limit=AT_ONCE)
            purged += some
            if some < AT_ONCE:
                break
        if purged:
            log.info("upkeep.purged", artifacts=purged)
