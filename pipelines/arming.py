"""Asks sources that tell of changes only for a while to go on telling: each of them daily."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError

from connectors import egress
from connectors.errors import ConnectorError
from connectors.hearing import HintSettings, Watched
from pipelines.rounds import every
from pipelines.runtime import Services
from storage import watches
from storage.clock import shared_now
from storage.connections import Connection
from storage.credentials import Vault
from storage.errors import SetupError

LOOK_SECONDS = 60.0
EACH = timedelta(days=1)
ARM_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(slots=True)
class Arming:
    services: Services
    settings: HintSettings = field(default_factory=HintSettings)

    async def watch(self) -> None:
        """Look every minute, until cancelled."""
        await every(LOOK_SECONDS, self.look, waits="watches.wait")

    async def look(self) -> int:
        """Ask each source that is due. Answers how many tell from now on."""
        topics = self._topics()
        if not topics:
            return 0
        async with self.services.database.reading() as tx:
            due = await watches.due(tx, list(topics), moment=await shared_now(tx))
        return sum([await self._renew(each, topics[each.kind]) for each in due])

    def _topics(self) -> dict[str, str]:
        """Where each kind is to tell, of those that can be asked and shall."""
        hearing = {kind: spec.hearing for kind, spec in self.services.specs.items()}
        found = {kind: it.topic(self.settings) for kind, it in hearing.items() if it}
        return {kind: topic for kind, topic in found.items() if topic}

    async def _renew(self, connection: Connection, topic: str) -> bool:
        """What cannot be asked now is asked again when its claim is over."""
        async with self.services.database.transaction() as tx:
            if not await watches.claim(tx, connection, moment=await shared_now(tx)):
                return False
        try:
            async with asyncio.timeout(ARM_SECONDS):
                until = await self._arm(connection, topic)
        except (ConnectorError, SetupError, ValidationError, TimeoutError) as error:
            reason = type(error).__name__ if isinstance(error, ValidationError) else str(error)
            log.warning("watch.not_armed", connection=str(connection.id), reason=reason)
            return False
        async with self.services.database.transaction() as tx:
            again = min(await shared_now(tx) + EACH, until - EACH)
            await watches.armed(tx, connection.id, due_at=again, ends_at=until)
        log.info("watch.armed", connection=str(connection.id), until=until.isoformat())
        return True

    async def _arm(self, connection: Connection, topic: str) -> datetime:
        services, spec = self.services, self.services.specs[connection.kind]
        keyring, tenant = services.keyring(), connection.tenant
        vault = Vault(services.database, keyring, tenant, connection.id, actor="watch")
        access = services.locksmith.access(spec, vault)
        config = spec.config.model_validate(connection.config)
        async with AsyncExitStack() as opened:
            with egress.excepting(services.settings.egress):
                connector = await opened.enter_async_context(spec.open(config, access))
            if not isinstance(connector, Watched):
                raise TypeError(f"{connection.kind} has a topic and cannot be asked to tell")
            return await connector.arm(topic)
