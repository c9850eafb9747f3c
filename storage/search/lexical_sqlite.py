"""Full text on SQLite: FTS5, ranked by BM25, where a rare word counts more than a common one."""

from sqlalchemy import bindparam, column, func, literal_column, select, table, text

from storage.database import Tx
from storage.ids import ArtifactId, ChunkId
from storage.search.fusion import Candidate
from storage.search.scope import Scope
from storage.search.terms import Terms
from storage.tables import artifacts, chunks

FTS = table("chunks_fts", column("rowid"))
# A word in the path or in the symbol's name says more than one in the text.
RANK = func.bm25(literal_column("chunks_fts"), 3.0, 1.0)


async def matching(tx: Tx, scope: Scope, terms: Terms, *, limit: int) -> list[Candidate]:
    found = await tx.execute(
        select(chunks.c.id, chunks.c.artifact_id)
        .select_from(FTS)
        .join(chunks, chunks.c.id == FTS.c.rowid)
        .join(artifacts, artifacts.c.id == chunks.c.artifact_id)
        .where(text("chunks_fts MATCH :words").bindparams(bindparam("words", _match(terms))))
        .where(scope.visible())
        .order_by(RANK, chunks.c.id)
        .limit(limit)
    )
    return [Candidate(ChunkId(chunk), ArtifactId(artifact)) for chunk, artifact in found]


def _match(terms: Terms) -> str:
    """Only quoted strings, so nothing in them is an operator.

    A whole word matches by itself and by its prefix, and so counts twice.
    """
    words = [f'"{term.word}"' for term in terms.words]
    prefixes = [f'"{term.prefix}" *' for term in terms.words if term.prefix]
    phrases = [f'"{" ".join(phrase)}"' for phrase in terms.phrases]
    return " OR ".join([*words, *prefixes, *phrases])
