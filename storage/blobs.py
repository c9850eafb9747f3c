"""What was fetched, kept once per content: zstandard under the SHA-256, never across tenants."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import zstandard
from sqlalchemy import and_, delete, exists, select, true, tuple_

from storage.bulk import batches, insert
from storage.clock import now
from storage.database import Tx
from storage.ids import TenantId
from storage.tables import artifacts, blobs

LEVEL = 3


async def put(tx: Tx, tenant: TenantId, bodies: Mapping[str, bytes]) -> None:
    """Keep these contents by their digest. One that is there is left as it is."""
    there: set[str] = set()
    for batch in batches(bodies):
        # Held to the commit: a sweep must not take what is about to be named again.
        query = select(blobs.c.digest).where(_these(tenant, batch))
        held = query.with_for_update(read=True, key_share=True)
        there.update((await tx.execute(held)).scalars())
    new = {digest: body for digest, body in bodies.items() if digest not in there}
    if not new:
        return
    rows = await asyncio.to_thread(_rows, tenant, new)
    await tx.execute(insert(tx, blobs).on_conflict_do_nothing(), rows)


async def get(tx: Tx, tenant: TenantId, digests: Collection[str]) -> Mapping[str, bytes]:
    """The contents of these digests, as far as they are there."""
    found: dict[str, bytes] = {}
    for batch in batches(digests):
        query = select(blobs.c.digest, blobs.c.size, blobs.c.body).where(_these(tenant, batch))
        packed = {row.digest: (row.body, row.size) for row in await tx.execute(query)}
        found |= await asyncio.to_thread(_unpacked, packed)
    return found


async def sweep(tx: Tx, tenant: TenantId | None = None, *, limit: int = 500) -> int:
    """Delete contents that no artifact names, of a tenant or of all. Answers how many."""
    unnamed = ~exists().where(
        artifacts.c.tenant_id == blobs.c.tenant_id, artifacts.c.digest == blobs.c.digest
    )
    mine = true() if tenant is None else blobs.c.tenant_id == tenant
    key = tuple_(blobs.c.tenant_id, blobs.c.digest)
    query = select(blobs.c.tenant_id, blobs.c.digest).where(mine, unnamed).limit(limit)
    held = [tuple(row) for row in await tx.execute(query.with_for_update(skip_locked=True))]
    # Looked at again, now that nobody can begin to name them.
    gone = await tx.execute(delete(blobs).where(key.in_(held), unnamed))
    return gone.rowcount


async def has(tx: Tx, tenant: TenantId, digest: str) -> bool:
    query = select(blobs.c.digest).where(_these(tenant, [digest]))
    return (await tx.execute(query)).first() is not None


def _these(tenant: TenantId, digests: Collection[str]) -> Any:
    return and_(blobs.c.tenant_id == tenant, blobs.c.digest.in_(digests))


def _rows(tenant: TenantId, bodies: Mapping[str, bytes]) -> list[dict[str, Any]]:
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    moment = now()
    return [
        {
            "tenant_id": tenant,
            "digest": digest,
            "size": len(body),
            "body": compressor.compress(body),
            "created_at": moment,
        }
        for digest, body in bodies.items()
    ]


def _unpacked(packed: Mapping[str, tuple[bytes, int]]) -> Mapping[str, bytes]:
    decompressor = zstandard.ZstdDecompressor()
    return {
        # zstandard cannot tell an empty frame from one of unknown size.
        digest: decompressor.decompress(body, max_output_size=size) if size else b""
        for digest, (body, size) in packed.items()
    }
