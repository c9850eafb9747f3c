"""A text is packed into parts along its breaks."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from pipelines import tokens
from pipelines.chunking import packing
from pipelines.chunking.outline import Outline


def pack(costs: Sequence[int], strengths: Sequence[int], *, limit: int) -> list[int]:
    """Lines of so many tokens with breaks between them: which of them a part starts with."""
    lines = ["a" + " a" * (cost - 2) + "\n" for cost in costs]
    assert tokens.counts(lines) == costs
    starts = [0, *accumulate(map(len, lines))]
    outline = Outline(dict(zip(starts[1:-1], strengths, strict=True)))
    parts = packing.pack("".join(lines), outline, limit=limit)
    return [0, *(starts.index(end) for end, _, _ in parts[:-1] if end in starts)]


def test_as_many_pieces_as_fit_go_together() -> None:
    starts = pack([3, 3, 3, 3, 3], [1, 1, 1, 1], limit=6)

    assert starts == [0, 2, 4]


def test_a_part_ends_at_the_strongest_break_within_reach() -> None:
    starts = pack([3, 3, 3, 3], [2, 1, 2], limit=9)

    assert starts == [0, 2]


def test_a_unit_that_fits_is_never_cut() -> None:
    starts = pack([2, 3, 3, 3, 2], [1, 2, 2, 1], limit=9)

    assert starts == [0, 1, 4]


def test_a_piece_over_the_limit_is_cut_by_itself() -> None:
    starts = pack([3, 9, 3], [1, 1], limit=5)

    assert starts == [0, 1, 2]


def test_what_has_no_place_to_cut_is_cut_by_force_and_its_rest_goes_with_what_follows() -> None:
    text = "🧠" * 9 + "\nend\n"

    parts = packing.pack(text, Outline({}), limit=8)

    pieces = [text[a:b] for a, b in pairwise([0, *(end for end, _, _ in parts)])]
    assert len(pieces) > 2
    assert pieces[-1].endswith("🧠\nend\n")
    assert [cost for _, _, cost in parts] == tokens.counts(pieces)
