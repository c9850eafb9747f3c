"""Where a text can be cut without changing what its parts cost.

The counts of two pieces add up to the count of the whole only where the encoding splits anyway.
For ``cl100k_base`` two kinds of places are certain, whatever stands around them:

- at the start of a line that is not blank, as the last line break of a run ends a token;
- before a single space between two characters that are not spaces, as the space starts one.

So a piece is counted once, any row of pieces costs their sum, and chunks are exact without being
counted again. Only a run with no such place at all is cut by force, and never joined again there.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub

from pipelines import tokens
from pipelines.chunking.outline import Breaks
from pipelines.chunking.packing import FORCED

# Strengths of the breaks that are tried where a piece is over the limit by itself.
GAP, SENTENCE, LINE, WORD = 1_000, 1_001, 1_002, 1_003


@dataclass(slots=True)
class Pieces:
    """A text cut up: three lists in step. The strength of the first piece says nothing."""

    starts: list[int]
    strengths: list[int]
    costs: list[int]

    def add(self, start: int, strength: int, cost: int) -> None:
        self.starts.append(start)
        self.strengths.append(strength)
        self.costs.append(cost)


def measure(text: str, breaks: Breaks, *, limit: int) -> Pieces:
    """Cut at every break, and further wherever a piece is over the limit."""
    starts = sorted(breaks)
    strengths = [FORCED, *map(breaks.__getitem__, starts)]
    starts.insert(0, 0)
    if max(map(sub, [*starts[1:], len(text)], starts)) > LONG * limit:
        starts, strengths = _with_lines(text, [*starts, len(text)], strengths, limit)
    costs = _costs(text, [*starts, len(text)])
    whole = Pieces(starts, strengths, costs)
    if max(costs) <= limit:
        return whole
    return _refined(text, whole, limit)


def _costs(text: str, bounds: Sequence[int]) -> list[int]:
    # Without a frame of Python for each piece, and each is counted while it is in the cache.
    return tokens.counts(map(text.__getitem__, map(slice, bounds, bounds[1:])))


def step_of(limit: int) -> int:
    """How many characters a piece has at least: finer ones take time, and fill chunks no better."""
    return limit // 4


def is_sound(text: str, position: int) -> bool:
    """Whether a line that is not blank starts here, so that counts add up over this place."""
    return text[position - 1 : position] == "\n" and _NOT_BLANK.match(text, position) is not None


LONG = 3  # characters a token: what is longer is probably over the limit
_WINDOW = 8  # characters a token; a window that costs less than the limit is doubled
_STOPS = "\n\t .,:;!?)]}>。、！？；，"  # where a cut by force hurts least  # noqa: RUF001

_NOT_BLANK = re.compile(r"[^\S\r\n]*+\S")
_LINE = re.compile(r"\n(?=[^\S\r\n]*+\S)")
_SENTENCE = re.compile(r"[.!?][\"')\]]*+(?= [!-~\w])")
_WORD = re.compile(r"(?<=[!-~\w])(?= [!-~\w])")


def _lines(text: str, start: int, end: int, step: int) -> list[tuple[int, int]]:
    """Starts of lines, rather after a blank line, and after a sentence rather than within one."""
    found: list[tuple[int, int]] = []
    while match := _LINE.search(text, start + step, end):
        start = match.end()
        found.append((start, _AFTER.get(text[start - 2], LINE)))
    return found


def _sentences(text: str, start: int, end: int, _step: int) -> list[tuple[int, int]]:
    return [(m.end(), SENTENCE) for m in _SENTENCE.finditer(text, start, end)]


def _words(text: str, start: int, end: int, _step: int) -> list[tuple[int, int]]:
    return [(m.end(), WORD) for m in _WORD.finditer(text, start, end)]


_AFTER = {"\n": GAP, ".": SENTENCE, "!": SENTENCE, "?": SENTENCE, "|": SENTENCE}

Finder = Callable[[str, int, int, int], list[tuple[int, int]]]
_FINDERS: tuple[Finder, ...] = (_lines, _sentences, _words)


def _with_lines(
    text: str, bounds: Sequence[int], strengths: Sequence[int], limit: int
) -> tuple[list[int], list[int]]:
    """Cut what is long at its lines at once: it saves counting it as a whole, only to count again.

    Where it would have fitted this does no harm, as the breaks are weak.
    """
    fine_starts: list[int] = []
    fine_strengths: list[int] = []
    for (start, end), strength in zip(pairwise(bounds), strengths, strict=True):
        fine_starts.append(start)
        fine_strengths.append(strength)
        if end - start > LONG * limit:
            for place, weaker in _lines(text, start + 1, end, step_of(limit)):
                fine_starts.append(place)
                fine_strengths.append(weaker)
    return fine_starts, fine_strengths


def _refined(text: str, whole: Pieces, limit: int) -> Pieces:
    """Replace each piece over the limit by smaller ones, with ever weaker breaks."""
    fine = Pieces([], [], [])
    ends = [*whole.starts[1:], len(text)]
    for start, end, strength, cost in zip(
        whole.starts, ends, whole.strengths, whole.costs, strict=True
    ):
        if cost <= limit:
            fine.add(start, strength, cost)
        else:
            _split(text, (start, end), strength, limit, fine)
    return fine


def _split(
    text: str, span: tuple[int, int], strength: int, limit: int, fine: Pieces, *, level: int = 0
) -> None:
    """Cut a span at its lines, those over the limit at sentences, then at words, or by force."""
    if level == len(_FINDERS):
        _force(text, span, strength, limit, fine)
        return
    start, end = span
    found = [(start, strength), *_FINDERS[level](text, start + 1, end, step_of(limit))]
    bounds = [*(place for place, _ in found), end]
    costs = _costs(text, bounds)
    for (a, b), (_, break_), cost in zip(pairwise(bounds), found, costs, strict=True):
        if cost <= limit:
            fine.add(a, break_, cost)
        else:
            _split(text, (a, b), break_, limit, fine, level=level + 1)


def _force(text: str, span: tuple[int, int], strength: int, limit: int, fine: Pieces) -> None:
    """Cut a span that has no sound place. Windows keep this linear in its length."""
    start, end = span
    width = limit * _WINDOW
    while start < end:
        window = text[start : min(start + width, end)]
        part = tokens.head(window, limit)
        if part == window and start + width < end:
            width *= 2
            continue
        if start + len(part) < end:
            part = _tidy(part, limit)
        fine.add(start, strength, tokens.count(part))
        start += len(part)
        strength = FORCED


def _tidy(part: str, limit: int) -> str:
    """End after punctuation if there is some in the second half."""
    stop = max(part.rfind(mark, len(part) // 2) for mark in _STOPS)
    shorter = part[: stop + 1]
    return shorter if stop > 0 and tokens.count(shorter) <= limit else part
