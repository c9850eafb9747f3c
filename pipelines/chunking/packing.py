"""Which pieces go together into a chunk: as many as fit, parted where parting hurts least."""

from bisect import bisect_right
from collections.abc import Sequence

FORCED = 0
"""The strength of a break that no chunk may cross. Above it, the smaller the stronger."""


def pack(totals: Sequence[int], strengths: Sequence[int], *, limit: int) -> list[int]:
    """Say which piece each chunk starts with.

    ``totals[i]`` is what the pieces before piece ``i`` cost together, ``strengths[i]`` the strength
    of the break before it. Of all the breaks that a chunk could
    end at, it ends at the strongest, and of equal ones at the last. So a unit that fits is never
    cut: the break at its edge is stronger than any within.
    """
    starts: list[int] = []
    start = 0
    while start < len(strengths):
        starts.append(start)
        # A piece over the limit is a chunk by itself: one character can cost more than the limit.
        reach = max(bisect_right(totals, totals[start] + limit, start) - 1, start + 1)
        start = _end(strengths, start, reach)
    return starts


def _end(strengths: Sequence[int], start: int, reach: int) -> int:
    window = strengths[start + 1 : reach + 1]
    strongest = min(window, default=FORCED + 1)
    if strongest == FORCED:
        return start + 1 + window.index(FORCED)
    if reach == len(strengths):
        return reach
    return reach - window[::-1].index(strongest)
