"""Which parts of a text go together into a chunk: as many as fit, cut where cutting hurts least."""

from bisect import bisect_right

from pipelines import tokens
from pipelines.chunking import places
from pipelines.chunking.outline import Outline

Part = tuple[int, int, int]
"""Where it ends, in characters and in bytes, and how many tokens it costs.

A plain tuple, as headings are.
"""


def pack(text: str, outline: Outline, *, limit: int) -> list[Part]:
    """Cut a text into parts within the limit.

    Of all the breaks that a part could end at, it ends at the strongest, and of equal ones at the
    last. So a unit that fits is never cut: the break at its edge is stronger than any within. What
    no break is within reach of is cut at the last place of the best kind.
    """
    ends = tokens.ends(text)
    total = len(ends)
    data = b"" if text.isascii() else text.encode()  # only to count in what is not ASCII
    breaks = sorted(outline.breaks)
    strengths = [*map(outline.breaks.__getitem__, breaks)]
    parts: list[Part] = []
    start = byte = done = 0
    while total - done > limit:
        reach = ends[done + limit - 1]
        ahead = data[byte:reach]
        plain = ahead.isascii()
        # A token may end within a character.
        reach = start + (reach - byte if plain else len(ahead.decode(errors="ignore")))
        first = bisect_right(breaks, start)
        after = bisect_right(breaks, reach, first)
        if first < after:
            window = strengths[first:after]
            window.reverse()
            end = breaks[after - 1 - window.index(min(window))]
        elif not (end := _place(text, start, reach, outline)):
            *forced, (_, byte, rest) = places.force(text, start, byte, reach, limit=limit)
            # The rest goes with what follows. It costs other tokens than it did within the text,
            # but from its end on counts add up.
            done = bisect_right(ends, byte) - rest
            parts += forced
            start, byte, _ = forced[-1]
            continue
        byte += end - start if plain else len(text[start:end].encode())
        until = bisect_right(ends, byte, done, done + limit)
        parts.append((end, byte, until - done))
        start, done = end, until
    parts.append((len(text), ends[-1], total - done))
    return parts


def _place(text: str, start: int, reach: int, outline: Outline) -> int:
    under = outline.heads.get(start)
    if under and (end := places.last(text, under, reach, outline.fences)):
        return end
    return places.last(text, start, reach, outline.fences)
