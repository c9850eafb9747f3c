"""Rankings of different kinds become one, by places and never by scores."""

from storage.ids import ArtifactId, ChunkId
from storage.search.fusion import Candidate, K, Ranking, fuse


def of(chunk: int, artifact: int) -> Candidate:
    return Candidate(ChunkId(chunk), ArtifactId(artifact))


def ranking(*candidates: Candidate, weight: float = 1.0) -> Ranking:
    return Ranking(candidates, weight=weight)


def test_what_two_rankings_like_beats_what_one_likes_more() -> None:
    words = ranking(of(1, 1), of(2, 2))
    meaning = ranking(of(3, 3), of(2, 2))

    best = fuse(words, meaning, limit=10)[0]

    assert best.artifact == 2
    assert best.score == 2 / (K + 2)


def test_a_first_place_beats_two_in_the_middle() -> None:
    filler = [of(number, number) for number in range(10, 29)]
    words = ranking(of(1, 1), *filler, of(2, 2))
    meaning = ranking(*reversed(filler), of(2, 2), weight=0.5)

    fused = [one.artifact for one in fuse(words, meaning, limit=30)]

    assert fused.index(ArtifactId(1)) < fused.index(ArtifactId(2))


def test_a_ranking_that_is_believed_less_moves_less() -> None:
    words = ranking(of(1, 1))
    meaning = ranking(of(2, 2), weight=0.5)

    assert [one.artifact for one in fuse(meaning, words, limit=10)] == [1, 2]


def test_an_artifact_counts_once_however_many_of_its_chunks_are_found() -> None:
    long_one = [of(chunk, 1) for chunk in range(10)]

    fused = fuse(ranking(*long_one, of(99, 2)), limit=10)

    assert [(one.artifact, one.score) for one in fused] == [(1, 1 / (K + 1)), (2, 1 / (K + 2))]


def test_the_chunk_that_is_shown_is_the_one_both_rankings_like() -> None:
    words = ranking(of(1, 1), of(2, 1))
    meaning = ranking(of(3, 1), of(2, 1))

    assert [one.chunk for one in fuse(words, meaning, limit=10)] == [2]


def test_the_same_place_in_two_rankings_is_decided_for_the_first_ranking() -> None:
    fused = fuse(ranking(of(1, 1)), ranking(of(2, 2)), limit=10)

    assert [one.artifact for one in fused] == [1, 2]


def test_no_more_come_out_than_asked_for() -> None:
    many = [of(number, number) for number in range(20)]

    assert len(fuse(ranking(*many), limit=3)) == 3


def test_nothing_comes_of_nothing() -> None:
    assert fuse(ranking(), ranking(), limit=10) == []
