"""Which model's vectors answer searches, and how another's come to take their place.

Vectors of two models cannot be compared, so one index serves at a time, and the next one is made
beside it. Which one serves is the fact ``index``. Whoever writes vectors holds it, so that it
cannot change before they are committed: an index that begins to serve lacks nothing.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Select, delete, select, text, update

from storage.bulk import batches, insert
from storage.database import Database, Tx
from storage.embedding import DIMENSION, MODEL
from storage.ids import ChunkId, TenantId
from storage.tables import chunks, embeddings, facts

FACT = "index"
INDEXED_AT_MOST = 4_000
"""Dimensions of a ``halfvec`` that pgvector's HNSW takes; larger ones are compared one by one."""

ROWS_DROPPED = 5_000  # at once


@dataclass(frozen=True, slots=True)
class Index:
    model: str
    dimension: int


LOCAL = Index(MODEL, DIMENSION)
"""What needs neither a key nor a network."""


class IndexChanged(Exception):
    """Another index serves than when the vectors were made: make them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A chunk without a vector of an index. ``text`` is what becomes one."""

    chunk: ChunkId
    tenant: TenantId
    digest: str
    text: str


async def serving(tx: Tx) -> Index:
    return _index(await tx.scalar(select(facts.c.value).where(facts.c.key == FACT)))


async def held(tx: Tx) -> Index:
    """The same; and it stays so until the transaction ends."""
    await tx.execute(insert(tx, facts).values(_row(LOCAL)).on_conflict_do_nothing())
    mine = select(facts.c.value).where(facts.c.key == FACT).with_for_update(read=True)
    return _index(await tx.scalar(mine))


async def lacking(tx: Tx, index: Index, *, after: ChunkId, limit: int) -> list[Lacking]:
    """Chunks of all tenants that have no vector in the index, in the order of their ids."""
    query = _without(index).where(chunks.c.id > after).order_by(chunks.c.id).limit(limit)
    return [
        Lacking(
            chunk=ChunkId(row.id),
            tenant=TenantId(row.tenant_id),
            digest=row.digest,
            text=f"{row.header}\n{row.text}",
        )
        for row in await tx.execute(query)
    ]


async def add(tx: Tx, index: Index, vectors: Mapping[Lacking, bytes]) -> None:
    """Those of chunks that are gone meanwhile are left out."""
    rows = {each.chunk: (each.tenant, vector) for each, vector in vectors.items()}
    for batch in batches(list(rows)):
        there = select(chunks.c.id).where(chunks.c.id.in_(batch))
        kept = (await tx.scalars(there.with_for_update(read=True, key_share=True))).all()
        made = [
            {
                "chunk_id": chunk,
                "model": index.model,
                "tenant_id": rows[ChunkId(chunk)][0],
                "dimension": index.dimension,
                "vector": rows[ChunkId(chunk)][1],
            }
            for chunk in kept
        ]
        if made:
            await tx.execute(insert(tx, embeddings).on_conflict_do_nothing(), made)


async def take_over(tx: Tx, index: Index, *, without: Collection[ChunkId]) -> bool:
    """Let the index serve, unless a chunk lacks in it that is not among ``without``."""
    await held(tx)
    fact = select(facts.c.value).where(facts.c.key == FACT).with_for_update()
    await tx.execute(fact)  # whoever writes vectors for another index has ended, or begins after us
    missing = await tx.scalars(_without(index).with_only_columns(chunks.c.id))
    if any(chunk not in without for chunk in missing):
        return False
    await tx.execute(update(facts).where(facts.c.key == FACT).values(value=asdict(index)))
    return True


async def drop_others(tx: Tx, index: Index) -> int:
    """Delete some of the vectors of models that do not serve. 0: there are none left."""
    some = select(embeddings.c.chunk_id, embeddings.c.model).where(
        embeddings.c.model != index.model
    )
    rows = (await tx.execute(some.limit(ROWS_DROPPED))).all()
    for model in {row.model for row in rows}:
        for batch in batches([row.chunk_id for row in rows if row.model == model]):
            await tx.execute(
                delete(embeddings)
                .where(embeddings.c.model == model)
                .where(embeddings.c.chunk_id.in_(batch))
            )
    return len(rows)


async def prepare(database: Database, index: Index) -> None:
    """Make what the database finds neighbours by, while nothing is in it: later it takes hours."""
    if database.dialect == "sqlite" or index == LOCAL or index.dimension > INDEXED_AT_MOST:
        return
    name = hashlib.sha256(index.model.encode()).hexdigest()[:12]
    made = (
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_embeddings_{name}_{index.dimension}"
        f" ON embeddings USING hnsw ((vector::halfvec({index.dimension})) halfvec_cosine_ops)"
        f" WHERE model = {quoted(index.model)}"
    )
    alone = database.writer.execution_options(isolation_level="AUTOCOMMIT")
    async with alone.connect() as connection:
        await connection.execute(text(made.replace(":", r"\:")))


def quoted(model: str) -> str:
    """As a literal of SQL: an index belongs to a model by name, which cannot be a parameter."""
    return "'" + model.replace("'", "''") + "'"


def _without(index: Index) -> Select[tuple[int, object, str, str, str]]:
    mine = (embeddings.c.chunk_id == chunks.c.id) & (embeddings.c.model == index.model)
    columns = (chunks.c.id, chunks.c.tenant_id, chunks.c.digest, chunks.c.header, chunks.c.text)
    joined = chunks.outerjoin(embeddings, mine)
    return select(*columns).select_from(joined).where(embeddings.c.chunk_id.is_(None))


def _index(value: Mapping[str, object] | None) -> Index:
    return LOCAL if value is None else Index(str(value["model"]), int(str(value["dimension"])))


def _row(index: Index) -> dict[str, object]:
    return {"key": FACT, "value": asdict(index)}
