"""Whose sources tell of changes for as long as they are asked to, and when to ask them again."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select, update

from storage.bulk import insert
from storage.connections import Connection, of_row
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.tables import connections, credentials, watches

PATIENCE = timedelta(minutes=10)
"""How long whoever asks a source may take, and after which a failure is tried again."""


async def due(
    tx: Tx, kinds: Collection[str], *, moment: datetime, limit: int = 20
) -> list[Connection]:
    """Of these kinds, those to ask (again), as far as something opens them."""
    asked = watches.c.connection_id == connections.c.id
    opens = and_(credentials.c.connection_id == connections.c.id, credentials.c.dead.is_(None))
    query = (
        select(connections)
        .join(credentials, opens)
        .outerjoin(watches, asked)
        .where(
            connections.c.kind.in_(kinds),
            connections.c.leaving_at.is_(None),
            or_(watches.c.due_at.is_(None), watches.c.due_at <= moment),
        )
        .order_by(connections.c.id)
        .limit(limit)
    )
    return [of_row(row) for row in await tx.execute(query)]


async def claim(tx: Tx, connection: Connection, *, moment: datetime) -> bool:
    """Take it upon oneself to ask. False if another worker was faster."""
    row = {
        "connection_id": connection.id,
        "tenant_id": connection.tenant,
        "due_at": moment + PATIENCE,
    }
    taken = await tx.execute(
        insert(tx, watches)
        .values(row)
        .on_conflict_do_update(
            index_elements=["connection_id"],
            set_={"due_at": row["due_at"]},
            where=watches.c.due_at <= moment,
        )
        .returning(watches.c.connection_id)
    )
    return taken.first() is not None


async def armed(tx: Tx, connection: ConnectionId, *, due_at: datetime, ends_at: datetime) -> None:
    """The source tells until ``ends_at``, and is asked again before."""
    mine = watches.c.connection_id == connection
    await tx.execute(update(watches).where(mine).values(due_at=due_at, ends_at=ends_at))


async def is_armed(tx: Tx, tenant: TenantId, connection: ConnectionId) -> bool:
    query = select(watches.c.ends_at).where(
        watches.c.tenant_id == tenant, watches.c.connection_id == connection
    )
    return await tx.scalar(query) is not None


async def remove(tx: Tx, tenant: TenantId, connection: ConnectionId) -> None:
    mine = and_(watches.c.tenant_id == tenant, watches.c.connection_id == connection)
    await tx.execute(delete(watches).where(mine))
