"""Looking at what was delivered and what was not, and putting it on its way again.

What is replayed keeps its message's id: who got it already knows it again.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, update

from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.tables import deliveries
from storage.webhooks.outbox import tell_one
from storage.webhooks.values import (
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Kind,
    WebhookId,
    delivery_of,
)

AT_ONCE = 1_000
_AGAIN = {"status": DeliveryStatus.PENDING, "attempts": 0}
_OF_THE_END = (Kind.CONNECTION_DISCONNECTED, Kind.CONNECTION_ERASED)


async def page(
    tx: Tx,
    tenant: TenantId,
    webhook: WebhookId,
    *,
    status: DeliveryStatus | None = None,
    after: DeliveryId | None = None,
    limit: int,
) -> list[Delivery]:
    """The newest first; ``after`` is the last one of the page before."""
    query = select(deliveries).where(_of(tenant, webhook))
    if status is not None:
        query = query.where(deliveries.c.status == status)
    if after is not None:
        query = query.where(deliveries.c.id < after)
    rows = await tx.execute(query.order_by(deliveries.c.id.desc()).limit(limit))
    return [delivery_of(row) for row in rows]


async def get(
    tx: Tx, tenant: TenantId, webhook: WebhookId, delivery: DeliveryId
) -> Delivery | None:
    query = select(deliveries).where(_of(tenant, webhook), deliveries.c.id == delivery)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else delivery_of(row)


async def probe(tx: Tx, tenant: TenantId, webhook: WebhookId) -> Delivery | None:
    """Put a test on its way to it alone."""
    made = await tell_one(tx, tenant, webhook)
    return await get(tx, tenant, webhook, DeliveryId(made))


async def replay(
    tx: Tx, tenant: TenantId, webhook: WebhookId, delivery: DeliveryId
) -> Delivery | None:
    """Deliver it once more, whatever became of it. What is on its way is tried now."""
    there = and_(_of(tenant, webhook), deliveries.c.id == delivery)
    again = update(deliveries).where(there).values(**_AGAIN, due_at=now()).returning(deliveries)
    row = (await tx.execute(again)).one_or_none()
    return None if row is None else delivery_of(row)


async def replay_failed(tx: Tx, tenant: TenantId, webhook: WebhookId, *, since: datetime) -> int:
    """Deliver what failed since a moment, the oldest first, as many as go at once.

    Answers how many; asked again, it goes on with the rest.
    """
    lost = deliveries.c.status == DeliveryStatus.FAILED, deliveries.c.created_at >= since
    query = select(deliveries.c.id).where(_of(tenant, webhook), *lost)
    ids = list(await tx.scalars(query.order_by(deliveries.c.id).limit(AT_ONCE)))
    again = update(deliveries).where(deliveries.c.id.in_(ids)).values(**_AGAIN, due_at=now())
    return (await tx.execute(again)).rowcount


async def erase(tx: Tx, tenant: TenantId, connection: ConnectionId) -> int:
    """Drop what tells of a connection, but that it left. Answers how many."""
    told = and_(deliveries.c.tenant_id == tenant, deliveries.c.connection_id == connection)
    gone = delete(deliveries).where(told, deliveries.c.kind.not_in(_OF_THE_END))
    return (await tx.execute(gone)).rowcount


def _of(tenant: TenantId, webhook: WebhookId) -> ColumnElement[bool]:
    return and_(deliveries.c.tenant_id == tenant, deliveries.c.webhook_id == webhook)
