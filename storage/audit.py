"""Who did what with a credential, for good: rows are added, and never changed or removed.

What was read with it is not here, nor anything of the credential: only ids, actions and moments.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select

from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.tables import audit


class AuditAction(StrEnum):
    CREATED = "created"
    REPLACED = "replaced"  # its owner gave another one
    OPENED = "opened"
    REFRESHED = "refreshed"
    DIED = "died"
    REVOKED = "revoked"
    DELETED = "deleted"
    RESEALED = "resealed"


@dataclass(frozen=True, slots=True)
class Entry:
    """``actor`` is who did it: ``run:<id>``, or the part of Headwater that was asked to."""

    connection: ConnectionId
    action: AuditAction
    actor: str
    detail: str
    at: datetime


async def record(  # noqa: PLR0917  # a sentence: connection, action, actor
    tx: Tx,
    tenant: TenantId,
    connection: ConnectionId,
    action: AuditAction,
    actor: str,
    detail: str = "",
) -> None:
    await tx.execute(
        insert(audit).values(
            tenant_id=tenant,
            connection_id=connection,
            action=action,
            actor=actor,
            detail=detail,
            at=now(),
        )
    )


async def of_connection(
    tx: Tx, tenant: TenantId, connection: ConnectionId, *, limit: int = 200
) -> list[Entry]:
    """The newest last; of more than ``limit``, the newest."""
    query = (
        select(audit)
        .where(audit.c.tenant_id == tenant, audit.c.connection_id == connection)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    return [_entry(row) for row in reversed((await tx.execute(query)).all())]


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        ConnectionId(row.connection_id), AuditAction(row.action), row.actor, row.detail, row.at
    )
