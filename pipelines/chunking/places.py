"""Where a text can be cut without changing what its parts cost.

The counts of two parts add up to the count of the whole only where the encoding splits anyway.
For ``cl100k_base`` two kinds of places are certain, whatever stands around them:

- at the start of a line that is not blank, as the last line break of a run ends a token;
- before a single space between two characters that are not spaces, as the space starts one.

So a text is encoded once, chunks cost as many tokens as end within them, and are exact without
being counted again. Only a run with no such place at all is cut by force.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from pipelines import tokens

Span = tuple[int, int]


def is_sound(text: str, position: int) -> bool:
    """Whether a line that is not blank starts here, so that counts add up over this place."""
    return text[position - 1 : position] == "\n" and _NOT_BLANK.match(text, position) is not None


def last(text: str, start: int, reach: int, fences: Sequence[Span]) -> int:
    """The best place after the start and not after the reach: the last of the first kind there is.

    Paragraphs rather outside of fenced code, then lines, then sentences, then words. 0 for none.
    """
    spare = 0
    for kind in _PARAGRAPHS:
        bound = reach
        while found := kind.match(text, start, bound + 1):
            at = found.end()
            around = _around(fences, at) if fences else None
            if around is None:
                return at
            spare = spare or at
            bound = around[0]
    if spare:
        return spare
    for kind in _FINER:
        if found := kind.match(text, start, reach + 1):
            return found.end()
    return 0


def force(
    text: str, start: int, byte: int, reach: int, *, limit: int
) -> Iterator[tuple[int, int, int]]:
    """Cut up to the first place after the reach: ends of parts, in bytes too, and their costs.

    Windows keep this linear in its length.
    """
    found = _SOUND.search(text, reach)
    end = found.end() if found else len(text)
    width = limit * _WINDOW
    while start < end:
        window = text[start : min(start + width, end)]
        part = tokens.head(window, limit)
        if part == window and start + width < end:
            width *= 2
            continue
        if start + len(part) < end:
            part = _tidy(part, limit)
        start += len(part)
        byte += len(part.encode())
        yield start, byte, tokens.count(part)


_WINDOW = 8  # characters a token; a window that costs less than the limit is doubled
_STOPS = "\n\t .,:;!?)]}>。、！？；，"  # where a cut by force hurts least  # noqa: RUF001

_LINE = r"(?=[^\S\r\n]*+\S)"
_NOT_BLANK = re.compile(_LINE)
_WORD = r"[!-~\w](?= [!-~\w])"
_SOUND = re.compile(rf"\n{_LINE}|{_WORD}")


def _to_last(pattern: str) -> re.Pattern[str]:
    # Going back from the end is done without a step of Python for what is passed over.
    return re.compile(rf"(?s:.+){pattern}")


# One that is indented goes with what it is indented under: an item, or an example.
_PARAGRAPHS = (_to_last(r"\n[^\S\n]*+\n(?=\S)"), _to_last(rf"\n[^\S\n]*+\n{_LINE}"))
_FINER = (
    _to_last(rf"\n(?<=[.!?|]\n){_LINE}"),
    _to_last(rf"\n{_LINE}"),
    _to_last(r"[.!?][\"')\]]*+(?= [!-~\w])"),
    _to_last(_WORD),
)


def _around(fences: Sequence[Span], position: int) -> Span | None:
    index = bisect_left(fences, (position,)) - 1
    return fences[index] if index >= 0 and position < fences[index][1] else None


def _tidy(part: str, limit: int) -> str:
    """End after punctuation if there is some in the second half."""
    stop = max(part.rfind(mark, len(part) // 2) for mark in _STOPS)
    shorter = part[: stop + 1]
    return shorter if stop > 0 and tokens.count(shorter) <= limit else part
