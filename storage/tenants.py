"""The customers of an installation. In one-machine mode there is exactly one."""

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.ids import LOCAL_TENANT, TenantId
from storage.tables import tenants


async def ensure_local(tx: Tx) -> None:
    """Make sure that the tenant of one-machine mode is there."""
    await ensure(tx, LOCAL_TENANT, name="local")


async def ensure(tx: Tx, tenant: TenantId, *, name: str) -> None:
    row = {"id": tenant, "name": name, "created_at": now()}
    await tx.execute(insert(tx, tenants).values(row).on_conflict_do_nothing())
