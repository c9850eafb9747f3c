"""The accounts and places that somebody connected, each with the configuration of its source."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, null, select, update

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, TenantId, new_id
from storage.tables import connections
from storage.webhooks import outbox
from storage.webhooks.values import Kind

_THERE = connections.c.leaving_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """``owner`` is the end user it belongs to, a string of the customer's choosing."""

    id: ConnectionId
    tenant: TenantId
    owner: str
    kind: str
    title: str
    config: Mapping[str, Any]
    created_at: datetime
    account: str | None = None
    profile: Mapping[str, Any] | None = None
    """What a model is asked to read of it besides: ``instructions``, ``schema``."""


async def connect(
    tx: Tx,
    tenant: TenantId,
    *,
    owner: str,
    kind: str,
    title: str,
    config: Mapping[str, Any],
    account: str | None = None,
) -> tuple[Connection, bool]:
    """The owner's connection to this source, and whether it is new. The first title stays.

    ``account`` is the provider's id of whose it is, where the source knows accounts.
    """
    row = {
        "id": new_id(),
        "tenant_id": tenant,
        "owner": owner,
        "kind": kind,
        "title": title,
        "config": dict(config),
        "account": account,
        "fingerprint": _fingerprint(config, account),
        "created_at": now(),
    }
    made = await tx.execute(
        insert(tx, connections).values(row).on_conflict_do_nothing().returning(connections.c.id)
    )
    created = made.first() is not None
    same = (connections.c[name] == row[name] for name in ("owner", "kind", "fingerprint"))
    there = select(connections).where(connections.c.tenant_id == tenant, *same)
    connection = of_row((await tx.execute(there)).one())
    if created:
        await outbox.tell_connection(tx, tenant, connection.id, Kind.CONNECTION_CREATED)
    return connection, created


async def get(tx: Tx, tenant: TenantId, connection_id: ConnectionId) -> Connection | None:
    query = select(connections).where(
        connections.c.tenant_id == tenant, connections.c.id == connection_id, _THERE
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else of_row(row)


async def of_account(
    tx: Tx, tenant: TenantId, *, owner: str, kind: str, account: str
) -> Connection | None:
    """The owner's connection to this account, whatever is ingested of it: the newest."""
    query = select(connections).where(
        connections.c.tenant_id == tenant,
        connections.c.owner == owner,
        connections.c.kind == kind,
        connections.c.account == account,
        _THERE,
    )
    row = (await tx.execute(query.order_by(connections.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else of_row(row)


async def page(
    tx: Tx, tenant: TenantId, *, owner: str | None, after: ConnectionId | None, limit: int
) -> list[Connection]:
    """The newest first; ``after`` is the last one of the page before."""
    query = select(connections).where(connections.c.tenant_id == tenant, _THERE)
    if owner is not None:
        query = query.where(connections.c.owner == owner)
    if after is not None:
        query = query.where(connections.c.id < after)
    rows = await tx.execute(query.order_by(connections.c.id.desc()).limit(limit))
    return [of_row(row) for row in rows]


def ids_of(tenant: TenantId, owner: str) -> Select[Any]:
    return select(connections.c.id).where(
        connections.c.tenant_id == tenant, connections.c.owner == owner
    )


async def of_owner(tx: Tx, tenant: TenantId, owner: str) -> list[ConnectionId]:
    return [ConnectionId(each) for each in await tx.scalars(ids_of(tenant, owner))]


async def narrow(
    tx: Tx, tenant: TenantId, connection: Connection, config: Mapping[str, Any]
) -> Connection | None:
    """Change what is ingested of it. None if the owner has that as another connection already."""
    fingerprint = _fingerprint(config, connection.account)
    there = select(connections.c.id).where(
        connections.c.tenant_id == tenant,
        connections.c.owner == connection.owner,
        connections.c.kind == connection.kind,
        connections.c.fingerprint == fingerprint,
        connections.c.id != connection.id,
    )
    if (await tx.execute(there)).first() is not None:
        return None
    changed = await tx.execute(
        update(connections)
        .where(connections.c.tenant_id == tenant, connections.c.id == connection.id)
        .values(config=dict(config), fingerprint=fingerprint)
        .returning(connections)
    )
    row = changed.one_or_none()
    return None if row is None else of_row(row)


async def ask_for(
    tx: Tx, tenant: TenantId, connection_id: ConnectionId, profile: Mapping[str, Any] | None
) -> bool:
    """Keep what a model is asked to read of it from the next run on. Answers if it is there."""
    changed = await tx.execute(
        update(connections)
        .where(connections.c.tenant_id == tenant, connections.c.id == connection_id)
        .values(profile=null() if profile is None else dict(profile))
    )
    return bool(changed.rowcount)


def _fingerprint(config: Mapping[str, Any], account: str | None) -> str:
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"))
    if account is not None:
        canonical += f"\0{account}"
    return hashlib.sha256(canonical.encode()).hexdigest()


def of_row(row: Row[Any]) -> Connection:
    return Connection(
        id=ConnectionId(row.id),
        tenant=TenantId(row.tenant_id),
        owner=row.owner,
        kind=row.kind,
        title=row.title,
        config=row.config,
        created_at=row.created_at,
        account=row.account,
        profile=row.profile,
    )
