"""The customers of an installation. Without keys there is exactly one."""

from collections.abc import Mapping

from sqlalchemy import select

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.ids import LOCAL_TENANT, TenantId
from storage.tables import tenants


async def ensure_local(tx: Tx) -> None:
    """Make sure that the tenant of one-machine mode is there."""
    await ensure(tx, LOCAL_TENANT, name="local")


async def settle(tx: Tx, tenant: TenantId) -> None:
    """Make sure that who asks is there. Only one-machine mode has nobody who made its tenant."""
    if tenant == LOCAL_TENANT:
        await ensure_local(tx)


async def ensure(tx: Tx, tenant: TenantId, *, name: str) -> None:
    row = {"id": tenant, "name": name, "created_at": now()}
    await tx.execute(insert(tx, tenants).values(row).on_conflict_do_nothing())


async def named(tx: Tx, name: str) -> TenantId | None:
    """The tenant of this name: the oldest, should two have it."""
    query = select(tenants.c.id).where(tenants.c.name == name).order_by(tenants.c.id).limit(1)
    found = await tx.scalar(query)
    return None if found is None else TenantId(found)


async def names(tx: Tx) -> Mapping[TenantId, str]:
    return {TenantId(row.id): row.name for row in await tx.execute(select(tenants))}
