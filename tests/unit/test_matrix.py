"""The matrix finds what is nearest, while rows come and go."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from storage.embedding import DIMENSION, Vectors, normalised
from storage.ids import ChunkId, ConnectionId
from storage.search.matrix import ROWS_AT_FIRST, Matrix

HERE = ConnectionId(UUID(int=1))
THERE = ConnectionId(UUID(int=2))


def around(direction: int, *, count: int = 1) -> Vectors:
    """Vectors in a direction, each a little further from it than the one before."""
    vectors = np.zeros((count, DIMENSION), dtype=np.float32)
    vectors[:, direction] = 1
    vectors[:, direction + 1] = np.arange(count) / 100
    return normalised(vectors)


def chunks(*ids: int) -> Sequence[ChunkId]:
    return [ChunkId(number) for number in ids]


@pytest.fixture
def matrix() -> Matrix:
    matrix = Matrix()
    matrix.append(chunks(1, 2, 3), [HERE] * 3, around(0, count=3))
    matrix.append(chunks(4, 5), [THERE] * 2, around(0, count=2))
    return matrix


def test_the_nearest_comes_first(matrix: Matrix) -> None:
    assert matrix.view([HERE]).nearest(around(0)[0], limit=2) == [1, 2]


def test_a_limit_beyond_the_end_gives_all(matrix: Matrix) -> None:
    assert sorted(matrix.view(None).nearest(around(0)[0], limit=100)) == [1, 2, 3, 4, 5]


def test_only_the_rows_of_a_connection_are_found_for_it(matrix: Matrix) -> None:
    assert matrix.view([THERE]).nearest(around(0)[0], limit=10) == [4, 5]


def test_an_unknown_connection_has_nothing(matrix: Matrix) -> None:
    assert matrix.view([ConnectionId(UUID(int=3))]).nearest(around(0)[0], limit=10) == []


def test_what_points_elsewhere_is_no_answer(matrix: Matrix) -> None:
    assert matrix.view(None).nearest(around(100)[0], limit=10) == []


def test_a_forgotten_row_is_not_found(matrix: Matrix) -> None:
    matrix.forget(chunks(1, 4, 5))

    assert matrix.view(None).nearest(around(0)[0], limit=10) == [2, 3]


def test_keeping_some_drops_the_others_and_leaves_what_came_later(matrix: Matrix) -> None:
    matrix.keep(chunks(2), upto=ChunkId(3))

    assert matrix.size == 3
    assert sorted(matrix.view(None).nearest(around(0)[0], limit=10)) == [2, 4, 5]


def test_rows_can_be_added_after_others_were_dropped(matrix: Matrix) -> None:
    matrix.keep(chunks(), upto=ChunkId(5))

    matrix.append(chunks(6), [THERE], around(0))

    assert matrix.view([THERE]).nearest(around(0)[0], limit=10) == [6]


def test_growing_keeps_every_row() -> None:
    matrix = Matrix()
    ids = range(1, ROWS_AT_FIRST * 2)

    for start in range(0, len(ids), 300):
        block = ids[start : start + 300]
        matrix.append(chunks(*block), [HERE] * len(block), around(0, count=len(block)))

    assert sorted(matrix.view([HERE]).nearest(around(0)[0], limit=len(ids))) == list(ids)


def test_a_view_is_of_its_moment(matrix: Matrix) -> None:
    view = matrix.view(None)

    matrix.append(chunks(6), [HERE], around(0))

    assert 6 not in view.nearest(around(0)[0], limit=10)
