"""What a worker does first where the database was restored: see ``storage.backup.aftermath``."""

import asyncio
from dataclasses import dataclass

import structlog

from storage.backup.aftermath import settle
from storage.database import Database
from storage.errors import StorageUnavailable
from storage.events import EventLog
from storage.relay import Relay

AGAIN_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class Aftermath:
    database: Database
    relay: Relay
    outputs: EventLog

    async def settle(self) -> None:
        """Return when it is done: nothing is restored while a worker runs."""
        while True:
            try:
                if await settle(self.database, self.relay, self.outputs):
                    log.info("restore.settled")
            except StorageUnavailable as error:
                log.warning("restore.waits", reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return
