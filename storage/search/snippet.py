"""The lines of a chunk that show why it was found."""

import re
from collections.abc import Collection

from storage.search.terms import Terms

LIMIT = 400  # characters


def snippet(text: str, terms: Terms, *, limit: int = LIMIT) -> str:
    """Whole lines where they fit, those with the most different words of the query in them."""
    lines = text.rstrip().split("\n")
    found = [_words_in(line, terms) for line in lines]
    start, end = _best_window(lines, found, limit=limit)
    window = "\n".join(lines[start:end]).strip("\n").rstrip()
    return window if len(window) <= limit else _cut(window, found[start], limit=limit)


def _words_in(line: str, terms: Terms) -> frozenset[str]:
    lowered = line.lower()
    starts = (term.prefix or term.word for term in terms.words)
    return frozenset(start for start in starts if start in lowered)


def _best_window(lines: list[str], found: list[frozenset[str]], *, limit: int) -> tuple[int, int]:
    """The first among the best. Each start is tried with all the lines that fit after it."""
    best, best_score = (0, 1), (-1, -1)
    for start, line in enumerate(lines):
        if not line.strip():
            continue
        end, size = start + 1, len(line)
        while end < len(lines) and size + 1 + len(lines[end]) <= limit:
            size += 1 + len(lines[end])
            end += 1
        words = frozenset[str]().union(*found[start:end])
        score = (len(words), len(found[start]))
        if score > best_score:
            best, best_score = (start, end), score
    return best


def _cut(line: str, words: Collection[str], *, limit: int) -> str:
    """A part of a line that is too long by itself, around the first word found in it."""
    lowered = line.lower()
    places = [place for word in words if (place := lowered.find(word)) >= 0]
    middle = min(places, default=0)
    start = max(0, min(middle - limit // 3, len(line) - limit + 2))
    part = line[start : start + limit - 2]
    if start > 0:
        part = "…" + re.sub(r"^\S{0,20}\s", "", part)
    return part.rstrip() + ("…" if start + limit - 2 < len(line) else "")
