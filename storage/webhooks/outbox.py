"""What is to be told, written down in the transaction of what it tells.

Either both are there after a crash or neither. A body holds ids, numbers and codes: nothing that
was read of a source, and no text for people, which might quote some of it.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from storage.clock import now
from storage.database import Tx
from storage.events import STATUS_AFTER, Event
from storage.ids import ConnectionId, RunId, TenantId, new_id
from storage.tables import connections, deliveries, runs, webhooks
from storage.webhooks.values import DeliveryStatus, Kind

KINDS = frozenset[str](Kind)
_LISTENS = webhooks.c.disabled_at.is_(None)
# Nobody deletes it before the commit: a run must not fail by somebody's tidying up.
_STAYS: dict[str, Any] = {"read": True, "key_share": True, "of": webhooks}


async def tell_run(tx: Tx, tenant: TenantId, run_id: RunId, number: int, event: Event) -> None:
    """Tell whoever wants to know of this milestone. Most tenants have nobody: one look."""
    if event.kind not in KINDS:
        return
    query = (
        select(
            webhooks.c.id,
            webhooks.c.kinds,
            *(runs.c.connection_id, runs.c.owner, runs.c.workflow),
            *(runs.c.status, runs.c.reason, runs.c.counts),
        )
        .join_from(webhooks, runs, webhooks.c.tenant_id == runs.c.tenant_id)
        .where(webhooks.c.tenant_id == tenant, runs.c.id == run_id, _LISTENS)
        .with_for_update(**_STAYS)
    )
    rows = (await tx.execute(query)).all()
    listeners = _listeners(rows, event.kind)
    if not listeners:
        return
    run = rows[0]
    reason = event.patch.get("reason", run.reason)
    data = {
        "run_id": str(run_id),
        "connection_id": run.connection_id and str(run.connection_id),
        "owner": run.owner,
        "workflow": run.workflow,
        "seq": number,
        "attempt": event.attempt,
        "status": STATUS_AFTER.get(event.kind, run.status),
        "reason": reason.get("code") if isinstance(reason, Mapping) else None,
        "counts": event.patch.get("counts", run.counts),
    }
    about = {"connection_id": run.connection_id, "run_id": run_id}
    await _put(tx, tenant, Kind(event.kind), event.at, data, listeners=listeners, about=about)


async def tell_connection(
    tx: Tx, tenant: TenantId, connection_id: ConnectionId, kind: Kind, **more: Any
) -> None:
    """Tell whoever wants to know what happened to a connection. One that leaves has no owner."""
    query = select(webhooks.c.id, webhooks.c.kinds).with_for_update(**_STAYS)
    found = await tx.execute(query.where(webhooks.c.tenant_id == tenant, _LISTENS))
    listeners = _listeners(found.all(), kind)
    if not listeners:
        return
    asked = select(connections.c.owner, connections.c.kind).where(
        connections.c.tenant_id == tenant, connections.c.id == connection_id
    )
    it = (await tx.execute(asked)).one_or_none()
    data = {
        "connection_id": str(connection_id),
        "owner": None if it is None else it.owner or None,
        "kind": None if it is None else it.kind,
        **more,
    }
    about = {"connection_id": connection_id, "run_id": None}
    await _put(tx, tenant, kind, now(), data, listeners=listeners, about=about)


async def tell_one(tx: Tx, tenant: TenantId, webhook: UUID) -> UUID:
    """Put a test on its way. Answers the delivery's id."""
    data = {"webhook_id": str(webhook)}
    about = {"connection_id": None, "run_id": None}
    made = await _put(tx, tenant, Kind.TEST, now(), data, listeners=[webhook], about=about)
    return made[0]


def _listeners(rows: Iterable[Any], kind: str) -> list[UUID]:
    return [row.id for row in rows if row.kinds is None or kind in row.kinds]


async def _put(
    tx: Tx,
    tenant: TenantId,
    kind: Kind,
    at: datetime,
    data: Mapping[str, Any],
    *,
    listeners: list[UUID],
    about: Mapping[str, Any],
) -> list[UUID]:
    told = {"type": kind, "timestamp": at.isoformat(), "data": data}
    moment = now()
    common = {
        "tenant_id": tenant,
        "message_id": new_id(),
        "kind": kind,
        "body": json.dumps(told, separators=(",", ":")),
        "status": DeliveryStatus.PENDING,
        "due_at": moment,
        "claims": 0,
        "attempts": 0,
        "created_at": moment,
        **about,
    }
    ids = [new_id() for _ in listeners]
    rows = [
        {"id": each, "webhook_id": listener, **common}
        for each, listener in zip(ids, listeners, strict=True)
    ]
    await tx.execute(insert(deliveries), rows)
    return ids
