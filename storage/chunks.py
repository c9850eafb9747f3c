"""Chunks with their vectors, swapped an artifact at a time: the old go when the new come."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, text

from storage.bulk import batches
from storage.database import Tx
from storage.ids import ArtifactId, ChunkId, ConnectionId, TenantId
from storage.tables import chunks as table
from storage.tables import embeddings

BYTES_A_NUMBER = 2  # float16
ROWS_A_STATEMENT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChunk:
    artifact: ArtifactId
    ordinal: int
    start_byte: int
    end_byte: int
    start_line: int  # from 1
    end_line: int  # included
    symbol: str
    header: str
    text: str
    tokens: int
    digest: str  # of header and text
    vector: bytes | None  # float16, little-endian; None: found by its words only


async def replace(
    tx: Tx,
    tenant: TenantId,
    connection_id: ConnectionId,
    chunks: Mapping[ArtifactId, Sequence[NewChunk]],
    *,
    model: str,
) -> None:
    """Give each artifact these chunks instead of those it had. None at all is allowed.

    Searches see the old ones until the transaction is committed, and then the new ones: never
    both, never neither.
    """
    await delete_of(tx, chunks)
    new = [chunk for of_artifact in chunks.values() for chunk in of_artifact]
    ids = await _reserve(tx, len(new))
    numbered = list(zip(ids, new, strict=True))
    rows = [_row(tenant, connection_id, id_, chunk) for id_, chunk in numbered]
    for batch in batches(rows):
        await tx.execute(insert(table), batch)
    vectors = [
        _vector_row(tenant, id_, chunk.vector, model)
        for id_, chunk in numbered
        if chunk.vector is not None
    ]
    for batch in batches(vectors):
        await tx.execute(insert(embeddings), batch)


async def delete_of(tx: Tx, artifact_ids: Collection[ArtifactId]) -> None:
    """Their vectors and their words in the index go with the chunks, by key and by trigger."""
    for batch in batches(artifact_ids):
        await tx.execute(delete(table).where(table.c.artifact_id.in_(batch)))


async def vectors(
    tx: Tx, tenant: TenantId, digests: Collection[str], *, model: str
) -> Mapping[str, bytes]:
    """What is known already: an equal digest and model means an equal vector."""
    known: dict[str, bytes] = {}
    for batch in batches(digests):
        rows = await tx.execute(
            select(table.c.digest, embeddings.c.vector)
            .join(embeddings, embeddings.c.chunk_id == table.c.id)
            .where(table.c.tenant_id == tenant, table.c.digest.in_(batch))
            .where(embeddings.c.model == model)
        )
        known.update((digest, vector) for digest, vector in rows)
    return known


async def _reserve(tx: Tx, number: int) -> Iterator[ChunkId]:
    """Ids that nobody has or had.

    They are known before the rows are written, so that both tables are filled in bulk without
    asking back which row got which.
    """
    if not number:
        return iter(())
    if tx.dialect.name == "sqlite":  # only this transaction writes
        last = await tx.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'"))
        return map(ChunkId, range((last or 0) + 1, (last or 0) + 1 + number))
    drawn = text("SELECT nextval('chunks_id_seq') FROM generate_series(1, :number)")
    return map(ChunkId, (await tx.scalars(drawn, {"number": number})).all())


def _row(
    tenant: TenantId, connection: ConnectionId, id_: ChunkId, chunk: NewChunk
) -> dict[str, object]:
    return {
        "id": id_,
        "tenant_id": tenant,
        "connection_id": connection,
        "artifact_id": chunk.artifact,
        "ordinal": chunk.ordinal,
        "start_byte": chunk.start_byte,
        "end_byte": chunk.end_byte,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "symbol": _storable(chunk.symbol),
        "header": _storable(chunk.header),
        "text": _storable(chunk.text),
        "tokens": chunk.tokens,
        "digest": chunk.digest,
    }


def _vector_row(tenant: TenantId, id_: ChunkId, vector: bytes, model: str) -> dict[str, object]:
    return {
        "chunk_id": id_,
        "model": model,
        "tenant_id": tenant,
        "dimension": len(vector) // BYTES_A_NUMBER,
        "vector": vector,
    }


def _storable(text: str) -> str:
    """PostgreSQL's text cannot hold a NUL. The bytes' offsets are the file's and stay right."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
