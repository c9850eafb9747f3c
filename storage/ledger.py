"""What components have already made of an input, so that doing it again is free.

Keys are SHA-256 in hex, of the component, its version and its input's key. A row is committed with
the output it stands for.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select

from storage.bulk import batches, insert
from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.tables import ledger


async def get(tx: Tx, tenant: TenantId, keys: Collection[str]) -> Mapping[str, Any]:
    """The values that are there. A value may be None: look whether the key is in the answer."""
    found: dict[str, Any] = {}
    for batch in batches(keys):
        query = select(ledger.c.key, ledger.c.value).where(
            ledger.c.tenant_id == tenant, ledger.c.key.in_(batch)
        )
        found |= {row.key: row.value for row in await tx.execute(query)}
    return found


async def put(
    tx: Tx,
    tenant: TenantId,
    rows: Mapping[str, tuple[str, Any]],
    *,
    connection: ConnectionId | None = None,
) -> None:
    """Keep (component, value) by key. The first value stays: others may have built on it.

    It goes with the ``connection`` of whose content it was made.
    """
    if not rows:
        return
    moment = now()
    await tx.execute(
        insert(tx, ledger).on_conflict_do_nothing(),
        [
            {
                "tenant_id": tenant,
                "key": key,
                "component": component,
                "connection_id": connection,
                "value": value,
                "created_at": moment,
            }
            for key, (component, value) in rows.items()
        ],
    )
