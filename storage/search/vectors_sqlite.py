"""Nearest vectors on SQLite: a matrix in memory that follows the database.

Ids of chunks are never given twice and SQLite has one writer, so what came since the last search
is what has a higher id: a search adds that first, and sees everything committed before it. What was
deleted shows when it is found and SQL does not know it; after many changes the matrix is compared
with the database as a whole. See ``matrix`` for the memory it takes.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select, text

from storage.database import Tx
from storage.embedding import DIMENSION, Vectors, unpack
from storage.ids import ChunkId, TenantId
from storage.search.fusion import Candidate
from storage.search.matrix import Matrix
from storage.search.scope import HIDDEN, Scope
from storage.tables import artifacts, chunks, embeddings

ROWS_A_BLOCK = 5_000
NUMBERS_AT_MOST = 128_000_000
"""Of all tenants: half a gigabyte. The one that is searched always stays."""

CHURN_AT_LEAST = 1_000
LAST_ID = text("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")  # even if it is deleted


@dataclass(slots=True)
class _Kept:
    matrix: Matrix
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Matrices:
    """Those of one process, for each tenant and model. Searches may run at the same time."""

    model: str
    dimension: int = DIMENSION
    numbers_at_most: int = NUMBERS_AT_MOST
    kept: OrderedDict[TenantId, _Kept] = field(default_factory=OrderedDict[TenantId, _Kept])

    async def nearest(self, tx: Tx, scope: Scope, query: Vectors, *, limit: int) -> list[Candidate]:
        """The visible chunks most like ``query``, best first."""
        kept = self._use(scope.tenant)
        async with kept.lock:
            seen = await self._catch_up(tx, scope.tenant, kept.matrix)
        self._make_room(scope.tenant)
        asked = limit
        while True:
            view = kept.matrix.view(scope.connections)
            ids = await asyncio.to_thread(view.nearest, query, limit=asked)
            shown = await self._shown(tx, scope, kept, ids, seen=seen)
            if len(shown) >= limit or len(ids) < asked:
                return shown[:limit]
            asked *= 4  # much of it is hidden or gone: look further down

    def _use(self, tenant: TenantId) -> _Kept:
        if tenant not in self.kept:
            self.kept[tenant] = _Kept(Matrix(self.dimension))
        kept = self.kept[tenant]
        self.kept.move_to_end(tenant)
        return kept

    def _make_room(self, tenant: TenantId) -> None:
        """Forget who searched longest ago, when it is too much together."""
        while self._numbers > self.numbers_at_most:
            oldest = next(iter(self.kept))
            if oldest == tenant:
                return
            del self.kept[oldest]

    @property
    def _numbers(self) -> int:
        return sum(kept.matrix.size for kept in self.kept.values()) * self.dimension

    async def _catch_up(self, tx: Tx, tenant: TenantId, matrix: Matrix) -> ChunkId:
        """Add what is committed, and return the last id given as this transaction sees it."""
        fresh = matrix.size == 0
        seen = ChunkId(await tx.scalar(LAST_ID) or 0)
        while matrix.last < seen:
            rows = (await tx.execute(self._after(tenant, matrix.last))).all()
            if not rows:
                break
            vectors = unpack([row.vector for row in rows], dimension=self.dimension)
            ids = [row.chunk_id for row in rows]
            matrix.append(ids, [row.connection_id for row in rows], vectors)
        matrix.last = max(matrix.last, seen)
        if fresh:
            matrix.churn = 0
        return seen

    def _after(self, tenant: TenantId, last: ChunkId) -> Select[Any]:
        return (
            select(embeddings.c.chunk_id, embeddings.c.vector, chunks.c.connection_id)
            .join(chunks, chunks.c.id == embeddings.c.chunk_id)
            .where(embeddings.c.tenant_id == tenant, embeddings.c.model == self.model)
            .where(embeddings.c.chunk_id > last)
            .order_by(embeddings.c.chunk_id)
            .limit(ROWS_A_BLOCK)
        )

    async def _shown(
        self, tx: Tx, scope: Scope, kept: _Kept, ids: Sequence[ChunkId], *, seen: ChunkId
    ) -> list[Candidate]:
        """Those of the ids that may be shown; what does not exist any more is forgotten."""
        existing = await _existing(tx, scope, ids)
        # A later search may have added chunks that this transaction cannot see yet: they stay.
        gone = [chunk for chunk in ids if chunk <= seen and chunk not in existing]
        kept.matrix.forget(gone)
        if kept.matrix.churn > max(CHURN_AT_LEAST, kept.matrix.size // 4):
            await self._compare(tx, scope.tenant, kept, seen=seen)
        found = [existing[chunk] for chunk in ids if chunk in existing]
        return [candidate for candidate in found if candidate is not None]

    async def _compare(self, tx: Tx, tenant: TenantId, kept: _Kept, *, seen: ChunkId) -> None:
        """Give back the memory of all that is gone."""
        mine = (embeddings.c.tenant_id == tenant, embeddings.c.model == self.model)
        async with kept.lock:
            ids = (await tx.scalars(select(embeddings.c.chunk_id).where(*mine))).all()
            kept.matrix.keep([ChunkId(chunk) for chunk in ids], upto=seen)


async def _existing(
    tx: Tx, scope: Scope, ids: Sequence[ChunkId]
) -> Mapping[ChunkId, Candidate | None]:
    """By chunk: the candidate it is, None if it is hidden, absent if it does not exist."""
    wanted = text("chunks.id IN (SELECT value FROM json_each(:ids))")  # any number of them
    rows = await tx.execute(
        select(chunks.c.id, chunks.c.artifact_id, artifacts.c.status)
        .join(artifacts, artifacts.c.id == chunks.c.artifact_id)
        .where(wanted.bindparams(ids=json.dumps(ids)), scope.searched())
    )
    return {
        chunk: None if status == HIDDEN else Candidate(chunk, artifact)
        for chunk, artifact, status in rows
    }
