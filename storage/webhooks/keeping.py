"""The webhooks of a tenant, and the secrets that what they are sent is signed with."""

import json
import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update

from storage.clock import now
from storage.database import Database, Tx
from storage.ids import TenantId, new_id
from storage.sealed import Belongs, Keyring, Sealed
from storage.tables import deliveries, webhooks
from storage.webhooks.values import DeliveryStatus, Disabled, Webhook, WebhookId, webhook_of

MOST = 50
"""Webhooks a tenant may have: each event is written down for each of them."""

FIELD = "webhook secret"
SECRET_BYTES = 32


async def create(
    tx: Tx,
    keyring: Keyring,
    tenant: TenantId,
    *,
    url: str,
    description: str = "",
    kinds: Sequence[str] | None = None,
) -> tuple[Webhook, str]:
    """A new webhook, and its secret, which nobody can be told again."""
    webhook, secret, moment = WebhookId(new_id()), _new_secret(), now()
    row = {
        "id": webhook,
        "tenant_id": tenant,
        "url": url,
        "description": description,
        "kinds": None if kinds is None else list(kinds),
        **_sealed(keyring, tenant, webhook, [secret]),
        "created_at": moment,
        "updated_at": moment,
    }
    made = await tx.execute(insert(webhooks).values(row).returning(webhooks))
    return webhook_of(made.one()), secret


async def number(tx: Tx, tenant: TenantId) -> int:
    count = select(func.count()).select_from(webhooks).where(webhooks.c.tenant_id == tenant)
    return await tx.scalar(count) or 0


async def get(tx: Tx, tenant: TenantId, webhook: WebhookId) -> Webhook | None:
    row = (await tx.execute(select(webhooks).where(_it(tenant, webhook)))).one_or_none()
    return None if row is None else webhook_of(row)


async def page(
    tx: Tx, tenant: TenantId, *, after: WebhookId | None = None, limit: int = MOST
) -> list[Webhook]:
    """The newest first; ``after`` is the last one of the page before."""
    query = select(webhooks).where(webhooks.c.tenant_id == tenant)
    if after is not None:
        query = query.where(webhooks.c.id < after)
    rows = await tx.execute(query.order_by(webhooks.c.id.desc()).limit(limit))
    return [webhook_of(row) for row in rows]


async def change(
    tx: Tx,
    tenant: TenantId,
    webhook: WebhookId,
    *,
    url: str,
    description: str,
    kinds: Sequence[str] | None,
    enabled: bool,
) -> Webhook | None:
    """None if there is no such webhook. One that is enabled again begins with a clean record."""
    row = await _held(tx, tenant, webhook)
    if row is None:
        return None
    values: dict[str, Any] = {
        "url": url,
        "description": description,
        "kinds": None if kinds is None else list(kinds),
        "updated_at": now(),
    }
    if enabled and row.disabled_at is not None:
        values |= {"disabled_at": None, "disabled_for": None, "failing_since": None}
    same = webhooks.c.id == webhook
    await tx.execute(update(webhooks).where(same).values(values))
    if not enabled and row.disabled_at is None:
        await disable(tx, webhook, Disabled.ASKED, moment=now())
    return await get(tx, tenant, webhook)


async def disable(tx: Tx, webhook: WebhookId, why: Disabled, *, moment: datetime) -> None:
    """Tell it nothing more. What was on its way failed by that, and can be replayed."""
    off = {"disabled_at": moment, "disabled_for": why, "updated_at": moment}
    await tx.execute(update(webhooks).where(webhooks.c.id == webhook).values(off))
    waits = and_(deliveries.c.webhook_id == webhook, deliveries.c.due_at.is_not(None))
    failed = {
        "status": DeliveryStatus.FAILED,
        "due_at": None,
        "trouble": "The webhook was disabled.",
    }
    await tx.execute(update(deliveries).where(waits).values(failed))


async def remove(tx: Tx, tenant: TenantId, webhook: WebhookId) -> bool:
    """With its deliveries. Whether there was one."""
    return bool((await tx.execute(delete(webhooks).where(_it(tenant, webhook)))).rowcount)


async def rotate(
    tx: Tx, keyring: Keyring, tenant: TenantId, webhook: WebhookId, *, until: datetime
) -> tuple[Webhook, str] | None:
    """A new secret; the one before signs beside it for a while. One before that is forgotten."""
    row = await _held(tx, tenant, webhook)
    if row is None:
        return None
    secret = _new_secret()
    kept = [secret, _opened(keyring, row)[0]]
    values = {
        **_sealed(keyring, tenant, webhook, kept),
        "overlap_until": until,
        "updated_at": now(),
    }
    same = webhooks.c.id == webhook
    changed = await tx.execute(update(webhooks).where(same).values(values).returning(webhooks))
    return webhook_of(changed.one()), secret


def signing(keyring: Keyring, row: Row[Any], *, moment: datetime) -> list[str]:
    """The secrets that sign at this moment, the newest first."""
    found = _opened(keyring, row)
    overlaps = row.overlap_until is not None and moment < row.overlap_until
    return found if overlaps else found[:1]


async def reseal(database: Database, keyring: Keyring) -> int:
    """Seal everything with the first key. Answers how many were sealed with another one."""
    done = 0
    while True:
        async with database.transaction() as tx:
            old = select(webhooks).where(webhooks.c.key_id != keyring.sealing).limit(100)
            rows = (await tx.execute(old.with_for_update(key_share=True, skip_locked=True))).all()
            for row in rows:
                values = _sealed(keyring, row.tenant_id, row.id, _opened(keyring, row))
                await tx.execute(update(webhooks).where(webhooks.c.id == row.id).values(values))
        done += len(rows)
        if not rows:
            return done


async def hold(tx: Tx, webhook: WebhookId) -> Row[Any] | None:
    """Its row, locked; always before those of its deliveries, so that nobody waits in a ring."""
    locked = select(webhooks).where(webhooks.c.id == webhook).with_for_update(key_share=True)
    return (await tx.execute(locked)).one_or_none()


async def _held(tx: Tx, tenant: TenantId, webhook: WebhookId) -> Row[Any] | None:
    row = await hold(tx, webhook)
    return None if row is None or row.tenant_id != tenant else row


def _it(tenant: TenantId, webhook: WebhookId) -> ColumnElement[bool]:
    return and_(webhooks.c.tenant_id == tenant, webhooks.c.id == webhook)


def _new_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def _sealed(
    keyring: Keyring, tenant: TenantId, webhook: WebhookId, kept: Sequence[str]
) -> dict[str, Any]:
    sealed = keyring.seal(json.dumps(kept).encode(), Belongs(tenant, webhook, FIELD))
    return {"sealed": sealed.body, "key_id": sealed.key_id}


def _opened(keyring: Keyring, row: Row[Any]) -> list[str]:
    belongs = Belongs(row.tenant_id, row.id, FIELD)
    found: list[str] = json.loads(keyring.open(Sealed(row.sealed, row.key_id), belongs))
    return found
