"""How far the crawl of each part of a connection has come.

A cursor is saved in the transaction that stages what it covers: it is never ahead of the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, select, update

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.tables import partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """``done``: the crawl that ends at this cursor was finished; the next one starts from it.

    ``settled``: a complete listing left no doubt about what is gone, and nothing left since.
    """

    key: str
    cursor: Mapping[str, Any] | None
    done: bool
    settled: bool


async def load(tx: Tx, connection_id: ConnectionId) -> Mapping[str, Saved]:
    query = select(partitions).where(partitions.c.connection_id == connection_id)
    return {
        row.key: Saved(key=row.key, cursor=row.cursor, done=row.done, settled=row.settled)
        for row in await tx.execute(query)
    }


async def save(
    tx: Tx,
    tenant: TenantId,
    connection_id: ConnectionId,
    key: str,
    *,
    cursor: Mapping[str, Any],
    done: bool,
    quiet: bool = False,
) -> None:
    """``quiet``: nothing left since the last crawl that was done, but what was told."""
    progress = {"cursor": dict(cursor), "done": done, "updated_at": now()}
    row = {"tenant_id": tenant, "connection_id": connection_id, "key": key, **progress}
    if done and not quiet:
        progress["settled"] = False
    await tx.execute(
        insert(tx, partitions)
        .values(row)
        .on_conflict_do_update(index_elements=["connection_id", "key"], set_=progress)
    )


async def settle(tx: Tx, connection_id: ConnectionId, key: str, *, settled: bool) -> None:
    it = and_(partitions.c.connection_id == connection_id, partitions.c.key == key)
    await tx.execute(update(partitions).where(it).values(settled=settled))


async def forget(tx: Tx, connection_id: ConnectionId, key: str) -> None:
    """The next crawl of it begins at its start."""
    await tx.execute(
        delete(partitions).where(
            partitions.c.connection_id == connection_id, partitions.c.key == key
        )
    )
