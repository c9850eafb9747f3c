"""One ranking of several, by reciprocal rank: scores of different kinds are never compared.

An artifact counts once in each ranking, by its best chunk, so that a long one with many fair chunks
does not push out a short one with the right one.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from storage.ids import ArtifactId, ChunkId

Key = TypeVar("Key", bound=Hashable)

# The paper's 60 lets two places in the middle beat a first one, which is wrong for names: they are
# found by their words, and what vectors think of them is noise. Measured with 52 questions about
# CPython's library: first answers right .65, one of five .94 (60 and equal weights: .65 and .87).
K = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that one ranking proposes."""

    chunk: ChunkId
    artifact: ArtifactId


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates, best first, and how much this way of ranking is believed."""

    candidates: Sequence[Candidate]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Fused:
    """An artifact, the chunk of it that all rankings together like best, and how much."""

    chunk: ChunkId
    artifact: ArtifactId
    score: float


def fuse(*rankings: Ranking, limit: int) -> list[Fused]:
    """Best first. Equal scores keep the order of the first ranking that knows them."""
    scores: dict[ArtifactId, float] = {}
    for ranking in rankings:
        artifacts = dict.fromkeys(candidate.artifact for candidate in ranking.candidates)
        _add(scores, artifacts, weight=ranking.weight)
    chunks = _best_chunks(rankings)
    order = sorted(scores, key=lambda artifact: -scores[artifact])[:limit]
    return [Fused(chunks[artifact], artifact, scores[artifact]) for artifact in order]


def _best_chunks(rankings: Iterable[Ranking]) -> Mapping[ArtifactId, ChunkId]:
    scores: dict[Candidate, float] = {}
    for ranking in rankings:
        _add(scores, dict.fromkeys(ranking.candidates), weight=ranking.weight)
    best: dict[ArtifactId, ChunkId] = {}
    for candidate in sorted(scores, key=lambda candidate: -scores[candidate]):
        best.setdefault(candidate.artifact, candidate.chunk)
    return best


def _add(scores: dict[Key, float], keys: Iterable[Key], *, weight: float) -> None:
    for rank, key in enumerate(keys, start=1):
        scores[key] = scores.get(key, 0.0) + weight / (K + rank)
