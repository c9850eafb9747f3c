"""Finding chunks by words and by meaning, best artifact first.

Full text finds names, vectors find paraphrases, and reciprocal rank fuses the two. Whatever a user
types is a query, and none is an error. A search sees what was committed before its transaction
began, and nothing that is hidden or of another tenant.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import RowMapping, select

from storage import indexes
from storage.database import Tx
from storage.embedding import MODEL, StaticEmbedder, Vectors
from storage.ids import ArtifactId, ChunkId, ConnectionId, TenantId
from storage.indexes import Index
from storage.search import lexical_postgres, lexical_sqlite, vectors_postgres
from storage.search.fusion import Candidate, Fused, Ranking, fuse
from storage.search.scope import Scope
from storage.search.snippet import snippet
from storage.search.terms import READ_AT_MOST, Terms, parse
from storage.search.vectors_sqlite import Matrices
from storage.tables import artifacts, chunks

DEPTH = 100  # chunks of each ranking at least, so that many of one artifact leave place for others
DEPTH_A_HIT = 10
BELIEF = 0.5  # in static vectors, compared with words (see ``fusion``)
BELIEF_IN_MODELS = 1.0  # they know the order of words


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An artifact, and the chunk of it that answers best."""

    artifact_id: ArtifactId
    chunk_id: ChunkId
    connection_id: ConnectionId
    title: str
    path: str | None
    url: str | None
    symbol: str
    start_line: int  # of the chunk, from 1
    end_line: int  # included
    text: str  # the lines of the chunk that show why
    summary: str
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """``by_meaning`` is false where only words could be compared: nobody embedded the query."""

    hits: list[Hit]
    by_meaning: bool


class Asker(Protocol):
    """Who knows the vector of a query in a model that is not in this process."""

    async def ask(self, model: str, tenant: TenantId, text: str) -> Vectors | None: ...


class Searcher:
    """One a process: on SQLite it holds the vectors in memory (``matrix`` says what that costs).

    Without an ``asker`` an index of a provider's model is searched by words only.
    """

    def __init__(self, embedder: StaticEmbedder, asker: Asker | None = None) -> None:
        self.embedder = embedder
        self.asker = asker
        self._matrices = Matrices(MODEL)

    async def search(
        self,
        tx: Tx,
        tenant: TenantId,
        query: str,
        *,
        connections: Collection[ConnectionId] | None = None,
        limit: int = 10,
    ) -> list[Hit]:
        """The hits of ``find``."""
        return (await self.find(tx, tenant, query, connections=connections, limit=limit)).hits

    async def find(
        self,
        tx: Tx,
        tenant: TenantId,
        query: str,
        *,
        connections: Collection[ConnectionId] | None = None,
        limit: int = 10,
    ) -> Found:
        """In these connections of the tenant, or in all.

        ``tx`` reads what is committed: what a writing one sees could still be rolled back.
        """
        terms = parse(query)
        if not terms or limit < 1 or (connections is not None and not connections):
            return Found([], by_meaning=True)
        scope = Scope(tenant, None if connections is None else frozenset(connections))
        depth = max(DEPTH, limit * DEPTH_A_HIT)
        index = await indexes.serving(tx)
        vector = await self._vector(index, tenant, query[:READ_AT_MOST])
        words = await _by_words(tx, scope, terms, limit=depth)
        meaning = await self._by_meaning(tx, scope, index, vector, limit=depth)
        belief = BELIEF if index == indexes.LOCAL else BELIEF_IN_MODELS
        fused = fuse(Ranking(words), Ranking(meaning, weight=belief), limit=limit)
        return Found(await _hits(tx, fused, terms), by_meaning=vector is not None)

    async def _vector(self, index: Index, tenant: TenantId, query: str) -> Vectors | None:
        if index == indexes.LOCAL:
            row: Vectors = (await asyncio.to_thread(self.embedder.embed, [query]))[0]
            return row
        vector = await self.asker.ask(index.model, tenant, query) if self.asker else None
        return vector if vector is not None and len(vector) == index.dimension else None

    async def _by_meaning(
        self, tx: Tx, scope: Scope, index: Index, vector: Vectors | None, *, limit: int
    ) -> list[Candidate]:
        if vector is None or not vector.any():
            return []
        if tx.dialect.name != "sqlite":
            return await vectors_postgres.nearest(tx, scope, vector, limit=limit, index=index)
        if self._matrices.model != index.model:  # the memory of the one before is given back
            self._matrices = Matrices(index.model, index.dimension)
        return await self._matrices.nearest(tx, scope, vector, limit=limit)


async def _by_words(tx: Tx, scope: Scope, terms: Terms, *, limit: int) -> list[Candidate]:
    if tx.dialect.name == "sqlite":
        return await lexical_sqlite.matching(tx, scope, terms, limit=limit)
    return await lexical_postgres.matching(tx, scope, terms, limit=limit)


async def _hits(tx: Tx, found: Sequence[Fused], terms: Terms) -> list[Hit]:
    rows = await tx.execute(
        select(
            chunks.c.id.label("chunk_id"),
            *(chunks.c.artifact_id, chunks.c.connection_id, chunks.c.symbol, chunks.c.text),
            *(chunks.c.start_line, chunks.c.end_line),
            *(artifacts.c.title, artifacts.c.path, artifacts.c.url, artifacts.c.reading),
        )
        .join(artifacts, artifacts.c.id == chunks.c.artifact_id)
        .where(chunks.c.id.in_([one.chunk for one in found]))
    )
    known = {row["chunk_id"]: row for row in rows.mappings()}
    return [_hit(known[one.chunk], one.score, terms) for one in found if one.chunk in known]


def _hit(row: RowMapping, score: float, terms: Terms) -> Hit:
    return Hit(
        artifact_id=row["artifact_id"],
        chunk_id=row["chunk_id"],
        connection_id=row["connection_id"],
        title=row["title"],
        path=row["path"],
        url=row["url"],
        symbol=row["symbol"],
        start_line=row["start_line"],
        end_line=row["end_line"],
        text=snippet(row["text"], terms),
        summary=(row["reading"] or {}).get("summary", ""),
        score=score,
    )
