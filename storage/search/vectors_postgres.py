"""Nearest vectors on PostgreSQL, by pgvector.

A scope of few chunks is compared exactly, chunk by chunk. A large one goes through the HNSW index,
which is shared by all tenants and so passes by the chunks of others: it goes on until enough of
the right ones are found (``iterative_scan``, pgvector 0.8).
"""

from sqlalchemy import ColumnElement, Float, func, literal, literal_column, select

from storage.columns import Halves
from storage.database import Tx
from storage.embedding import Vectors
from storage.ids import ArtifactId, ChunkId
from storage.indexes import LOCAL, Index, quoted
from storage.search.fusion import Candidate
from storage.search.scope import Scope
from storage.tables import artifacts, chunks, embeddings

EXACT_AT_MOST = 10_000  # chunks: some 20 ms, and every one is looked at
LOOKED_AT = 200  # candidates of the index's walk (ef_search)


async def nearest(
    tx: Tx,
    scope: Scope,
    query: Vectors,
    *,
    limit: int,
    index: Index = LOCAL,
    exact_at_most: int = EXACT_AT_MOST,
) -> list[Candidate]:
    """The visible chunks most like ``query``, best first."""
    vector = literal(query.astype("<f2").tobytes(), Halves)
    # Written as in the index's definition, or the planner would not know that the index fits.
    indexed = literal_column(f"(embeddings.vector::halfvec({index.dimension}))", Halves)
    of_model: ColumnElement[bool] = literal_column(f"embeddings.model = {quoted(index.model)}")
    distance: ColumnElement[float] = indexed.op("<=>", return_type=Float())(vector)
    if await _fits(tx, scope, exact_at_most):
        distance = distance + 0.0  # an expression that no index has
    else:
        await tx.execute(
            select(
                func.set_config("hnsw.ef_search", str(max(LOOKED_AT, limit)), True),
                func.set_config("hnsw.iterative_scan", "relaxed_order", True),
            )
        )
    found = await tx.execute(
        select(chunks.c.id, chunks.c.artifact_id)
        .select_from(embeddings)
        .join(chunks, chunks.c.id == embeddings.c.chunk_id)
        .join(artifacts, artifacts.c.id == chunks.c.artifact_id)
        .where(of_model, scope.visible())
        .order_by(distance)
        .limit(limit)
    )
    return [Candidate(ChunkId(chunk), ArtifactId(artifact)) for chunk, artifact in found]


async def _fits(tx: Tx, scope: Scope, at_most: int) -> bool:
    some = select(literal(1)).select_from(chunks).where(scope.searched()).limit(at_most + 1)
    counted = await tx.scalar(select(func.count()).select_from(some.subquery()))
    return (counted or 0) <= at_most
