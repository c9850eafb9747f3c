"""Pieces are packed into chunks."""

from collections.abc import Sequence
from itertools import accumulate

from pipelines.chunking import packing
from pipelines.chunking.packing import FORCED


def pack(costs: Sequence[int], strengths: Sequence[int], *, limit: int) -> list[int]:
    return packing.pack([0, *accumulate(costs)], strengths, limit=limit)


def test_as_many_pieces_as_fit_go_together() -> None:
    starts = pack([3, 3, 3, 3, 3], [FORCED, 1, 1, 1, 1], limit=6)

    assert starts == [0, 2, 4]


def test_a_chunk_ends_at_the_strongest_break_within_reach() -> None:
    starts = pack([3, 3, 3, 3], [FORCED, 2, 1, 2], limit=9)

    assert starts == [0, 2]


def test_a_unit_that_fits_is_never_cut() -> None:
    starts = pack([2, 3, 3, 3, 2], [FORCED, 1, 2, 2, 1], limit=9)

    assert starts == [0, 1, 4]


def test_no_chunk_crosses_a_forced_break() -> None:
    starts = pack([1, 1, 1], [FORCED, 5, FORCED], limit=9)

    assert starts == [0, 2]


def test_a_piece_over_the_limit_is_a_chunk_by_itself() -> None:
    starts = pack([1, 9, 1], [FORCED, 1, 1], limit=5)

    assert starts == [0, 1, 2]
