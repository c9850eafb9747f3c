"""What is due, taken by one worker at a time, and what became of it.

Who takes a delivery puts off when it is due by a lease, so that the next one takes it if nothing
is heard of the first. What came of an attempt counts only while the delivery is still theirs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, case, delete, exists, select, update

from storage.database import Tx
from storage.sealed import Keyring
from storage.tables import deliveries, webhooks
from storage.webhooks.keeping import disable, hold, signing
from storage.webhooks.values import (
    Delivery,
    DeliveryStatus,
    Disabled,
    WebhookId,
    delivery_of,
)

KEPT = timedelta(days=30)
"""How long deliveries can be looked at, and replayed."""

PATIENCE = timedelta(days=5)
"""A webhook that nothing came through to for so long is disabled."""

_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Some of what one webhook is to be told, taken at ``moment`` until the lease ends."""

    url: str
    moment: datetime
    deliveries: Sequence[Delivery]
    row: Row[Any] = field(repr=False)

    def secrets(self, keyring: Keyring) -> Sequence[str]:
        """What signs it. Raises ``SecretKeyMissing`` or ``SealBroken``."""
        return signing(keyring, self.row, moment=self.moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt failed. ``retry_at`` None: it was the last one. ``gone``: never again."""

    trouble: str
    answered: int | None = None
    retry_at: datetime | None = None
    gone: bool = False


async def waiting(
    tx: Tx, *, moment: datetime, but: Collection[WebhookId], limit: int
) -> list[WebhookId]:
    """The webhooks to which something is due, those that answer first."""
    due = exists().where(deliveries.c.webhook_id == webhooks.c.id, deliveries.c.due_at <= moment)
    query = select(webhooks.c.id).where(webhooks.c.disabled_at.is_(None), due)
    if but:
        query = query.where(webhooks.c.id.not_in(but))
    ill = case((webhooks.c.failing_since.is_(None), 0), else_=1)
    found = await tx.scalars(query.order_by(ill, webhooks.c.id).limit(limit))
    return [WebhookId(each) for each in found]


async def claim(
    tx: Tx,
    webhook: WebhookId,
    *,
    moment: datetime,
    lease: timedelta,
    limit: int,
) -> Load | None:
    """Take what is due to it, the oldest first; of one that fails, one at a time. None: nothing."""
    row = (await tx.execute(select(webhooks).where(webhooks.c.id == webhook))).one_or_none()
    if row is None or row.disabled_at is not None:
        return None
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.webhook_id == webhook, deliveries.c.due_at <= moment)
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit if row.failing_since is None else 1)
        .with_for_update(skip_locked=True)
    )
    ids = list(await tx.scalars(due))
    if not ids:
        return None
    taken = await tx.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids))
        .values(due_at=moment + lease, claims=deliveries.c.claims + 1)
        .returning(deliveries)
    )
    mine = sorted(map(delivery_of, taken), key=lambda each: each.id)
    return Load(url=row.url, moment=moment, deliveries=mine, row=row)


async def arrived(tx: Tx, it: Delivery, *, answered: int, moment: datetime) -> bool:
    """The attempt came through. False if it was taken by another one meanwhile."""
    row = await hold(tx, it.webhook)
    values = {"status": DeliveryStatus.DELIVERED, "due_at": None, "trouble": None}
    if row is None or not await _settle(tx, it, {**values, "answered": answered}, moment):
        return False
    well = {"failing_since": None, "delivered_at": moment}
    await tx.execute(update(webhooks).where(webhooks.c.id == it.webhook).values(well))
    return True


async def failed(tx: Tx, it: Delivery, why: Failure, *, moment: datetime) -> Disabled | None:
    """The attempt failed. Answers why the webhook was disabled by that, if it was."""
    row = await hold(tx, it.webhook)
    values: dict[str, Any] = {"answered": why.answered, "trouble": why.trouble[:_WORDS]}
    over = {"status": DeliveryStatus.FAILED, "due_at": None}
    values |= over if why.retry_at is None else {"due_at": why.retry_at}
    if row is None or not await _settle(tx, it, values, moment) or row.disabled_at is not None:
        return None
    since = row.failing_since or moment
    await tx.execute(
        update(webhooks).where(webhooks.c.id == it.webhook).values(failing_since=since)
    )
    if not why.gone and since > moment - PATIENCE:
        return None
    disabled = Disabled.GONE if why.gone else Disabled.FAILING
    await disable(tx, it.webhook, disabled, moment=moment)
    return disabled


async def forget(tx: Tx, *, before: datetime, limit: int) -> int:
    """Drop what was made before a moment and is not on its way. Answers how many."""
    old = deliveries.c.created_at < before, deliveries.c.due_at.is_(None)
    some = list(await tx.scalars(select(deliveries.c.id).where(*old).limit(limit)))
    return (await tx.execute(delete(deliveries).where(deliveries.c.id.in_(some)))).rowcount


async def _settle(tx: Tx, it: Delivery, values: dict[str, Any], moment: datetime) -> bool:
    mine = and_(
        deliveries.c.id == it.id,
        deliveries.c.claims == it.claims,
        deliveries.c.due_at.is_not(None),
    )
    told = {**values, "attempts": deliveries.c.attempts + 1, "attempted_at": moment}
    return bool((await tx.execute(update(deliveries).where(mine).values(told))).rowcount)
