"""A tenant whose webhooks are told what happens, by a courier whose clock the test sets."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network

from connectors.egress import Exceptions
from pipelines.courier import Courier
from storage import webhooks
from storage.clock import now
from storage.database import Database, Tx
from storage.ids import LOCAL_TENANT, TenantId
from storage.sealed import Keyring, new_key
from storage.webhooks import Delivery, Webhook, WebhookId, replaying
from tests.receiver import Receiver, Reply, receiving

LOOPBACK = Exceptions(networks=(ip_network("127.0.0.0/8"),))
KEY = new_key()
KEYRING = Keyring.parse(KEY)


@dataclass
class Dial:
    """A clock that stands until it is turned."""

    moment: datetime = field(default_factory=lambda: now() + timedelta(seconds=2))

    async def __call__(self, tx: Tx) -> datetime:  # noqa: ARG002  # as a courier asks it
        return self.moment

    def turn(self, by: timedelta) -> None:
        self.moment += by


def courier(
    database: Database,
    *,
    clock: Dial | None = None,
    exceptions: Exceptions = LOOPBACK,
    patience_seconds: float = 20,
) -> Courier:
    return Courier(
        database,
        lambda: KEYRING,
        exceptions,
        now=clock or Dial(),
        patience_seconds=patience_seconds,
        jitter=lambda: 0.0,
    )


@dataclass(frozen=True, slots=True)
class Hooked:
    """One webhook and its receiver."""

    database: Database
    id: WebhookId
    secret: str
    receiver: Receiver
    tenant: TenantId = LOCAL_TENANT

    async def probe(self) -> Delivery:
        async with self.database.transaction() as tx:
            made = await replaying.probe(tx, self.tenant, self.id)
        assert made is not None
        return made

    async def shown(self) -> Webhook:
        async with self.database.reading() as tx:
            found = await webhooks.get(tx, self.tenant, self.id)
        assert found is not None
        return found

    async def deliveries(self) -> list[Delivery]:
        """The oldest first."""
        async with self.database.reading() as tx:
            rows = await replaying.page(tx, self.tenant, self.id, limit=1_000)
        return rows[::-1]

    async def delivery(self) -> Delivery:
        [only] = await self.deliveries()
        return only


@asynccontextmanager
async def hooked(
    database: Database,
    *replies: Reply,
    kinds: Sequence[str] | None = None,
    tenant: TenantId = LOCAL_TENANT,
) -> AsyncGenerator[Hooked]:
    async with receiving(*replies) as (receiver, url):
        async with database.transaction() as tx:
            made, secret = await webhooks.create(tx, KEYRING, tenant, url=url, kinds=kinds)
        yield Hooked(database, made.id, secret, receiver, tenant)
