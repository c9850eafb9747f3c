"""Full text on PostgreSQL, ranked by how rare the matched words are, as BM25 does.

``ts_rank`` does not know which words are rare, so that a question's most common word would decide.
Each word is counted first, up to a bound; the rarest ones choose the candidates, also up to a
bound; and the ranking of a candidate is the sum of its words' ranks, each times its rarity. So the
cost does not grow with the number of chunks that a common word is in.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import log

from sqlalchemy import bindparam, text

from storage.database import Tx
from storage.ids import ArtifactId, ChunkId
from storage.search.fusion import Candidate
from storage.search.scope import HIDDEN, Scope
from storage.search.terms import Term, Terms

COUNTED_AT_MOST = 1_000
CANDIDATES_AT_MOST = 2_000

COUNT = text("""
    SELECT asked.query, counted.chunks
    FROM unnest(CAST(:queries AS text[])) AS asked(query)
    CROSS JOIN LATERAL (
        SELECT count(*) AS chunks
        FROM (
            SELECT 1
            FROM chunks
            WHERE tenant_id = :tenant
              AND (CAST(:connections AS uuid[]) IS NULL OR connection_id = ANY(:connections))
              AND lexemes @@ to_tsquery('simple', asked.query)
            LIMIT :at_most
        ) AS matched
    ) AS counted
    WHERE counted.chunks > 0
    ORDER BY counted.chunks
""")

# Adding nothing to the lexemes unpacks them once, instead of for each word. The last argument of
# ts_rank divides by the logarithm of the length.
RANK = text("""
    WITH asked AS MATERIALIZED (
        SELECT to_tsquery('simple', query) AS query, weight
        FROM unnest(CAST(:queries AS text[]), CAST(:weights AS float8[])) AS given(query, weight)
    ), candidates AS MATERIALIZED (
        SELECT chunks.id, chunks.artifact_id, chunks.lexemes || CAST('' AS tsvector) AS lexemes
        FROM chunks
        JOIN artifacts ON artifacts.id = chunks.artifact_id
        WHERE chunks.tenant_id = :tenant
          AND (CAST(:connections AS uuid[]) IS NULL
               OR chunks.connection_id = ANY(:connections))
          AND artifacts.status <> :hidden
          AND chunks.lexemes @@ to_tsquery('simple', :chosen)
        LIMIT :candidates_at_most
    )
    SELECT candidates.id, candidates.artifact_id
    FROM candidates
    ORDER BY
        (SELECT sum(weight * ts_rank(candidates.lexemes, query, 1)) FROM asked) DESC,
        candidates.id
    LIMIT :at_most
""").bindparams(bindparam("hidden", HIDDEN), bindparam("candidates_at_most", CANDIDATES_AT_MOST))


async def matching(tx: Tx, scope: Scope, terms: Terms, *, limit: int) -> list[Candidate]:
    async with _by_index(tx):
        words = await _weigh(tx, scope, list(_queries(terms)))
        return await _ranked(tx, scope, words, limit=limit) if words else []


@asynccontextmanager
async def _by_index(tx: Tx) -> AsyncGenerator[None]:
    """The planner does not know that to look into lexemes is to unpack them, and reads them all."""
    switch = text("SELECT set_config('enable_seqscan', :value, true)")
    await tx.execute(switch, {"value": "off"})
    yield
    await tx.execute(switch, {"value": "on"})


@dataclass(frozen=True, slots=True)
class _Weighed:
    query: str  # for to_tsquery
    chunks: int  # that it is in, at most COUNTED_AT_MOST

    @property
    def weight(self) -> float:
        return log(1 + 5 * COUNTED_AT_MOST / (self.chunks + 0.5))


def _queries(terms: Terms) -> Iterator[str]:
    """Only quoted words, so nothing in them is an operator."""
    for term in terms.words:
        yield _either(term)
    for phrase in terms.phrases:
        yield " <-> ".join(f"'{word}'" for word in phrase)


def _either(term: Term) -> str:
    """A whole word matches by itself and by its prefix, and so counts twice."""
    return f"'{term.word}' | '{term.prefix}':*" if term.prefix else f"'{term.word}'"


async def _weigh(tx: Tx, scope: Scope, queries: Sequence[str]) -> list[_Weighed]:
    """Those that occur at all, the rarest first."""
    asked = {"queries": queries, "at_most": COUNTED_AT_MOST}
    rows = await tx.execute(COUNT, asked | _of(scope))
    return [_Weighed(query, chunks) for query, chunks in rows]


async def _ranked(
    tx: Tx, scope: Scope, words: Sequence[_Weighed], *, limit: int
) -> list[Candidate]:
    asked = {
        "queries": [word.query for word in words],
        "weights": [word.weight for word in words],
        "chosen": _rarest(words),
        "at_most": limit,
    }
    found = await tx.execute(RANK, asked | _of(scope))
    return [Candidate(ChunkId(chunk), ArtifactId(artifact)) for chunk, artifact in found]


def _rarest(words: Sequence[_Weighed]) -> str:
    """Any of the rarest words, as many as could fill the candidates."""
    total, chosen = 0, list[str]()
    for word in words:
        chosen.append(f"({word.query})")
        total += word.chunks
        if total >= CANDIDATES_AT_MOST:
            break
    return " | ".join(chosen)


def _of(scope: Scope) -> dict[str, object]:
    wanted = scope.connections
    return {"tenant": scope.tenant, "connections": None if wanted is None else list(wanted)}
