"""Which pieces go together into a chunk: as many as fit, parted where parting hurts least."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

FORCED = 0
"""The strength of a break that no chunk may cross. Above it, the smaller the stronger."""


def pack(costs: Sequence[int], strengths: Sequence[int], *, limit: int) -> list[int]:
    """Say which piece each chunk starts with.

    ``strengths[i]`` is that of the break before piece ``i``. Of all the breaks that a chunk could
    end at, it ends at the strongest, and of equal ones at the last. So a unit that fits is never
    cut: the break at its edge is stronger than any within.
    """
    totals = [0, *accumulate(costs)]
    starts: list[int] = []
    start = 0
    while start < len(costs):
        starts.append(start)
        # A piece over the limit is a chunk by itself: one character can cost more than the limit.
        reach = max(bisect_right(totals, totals[start] + limit) - 1, start + 1)
        start = _end(strengths, start, reach)
    return starts


def _end(strengths: Sequence[int], start: int, reach: int) -> int:
    window = list(strengths[start + 1 : reach + 1])
    strongest = min(window, default=FORCED + 1)
    if strongest == FORCED:
        return start + 1 + window.index(FORCED)
    if reach == len(strengths):
        return reach
    window.reverse()
    return reach - window.index(strongest)
