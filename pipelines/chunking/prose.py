"""Prose by its structure: headings, paragraphs, code fences.

One reading for Markdown, reStructuredText and plain text: all underline headings or mark them with
``#``, and leave a line blank between paragraphs. What is finer, sentences and words, is only looked
for where a paragraph is over the limit; see ``pieces``.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipelines.chunking.outline import Outline, Section
from pipelines.chunking.pieces import LINE, LONG, is_sound, step_of

# Headings have the strengths of their levels, 1 to 9.
_DEEPEST = 9
_PARAGRAPH = 10
_INDENTED = 11  # goes with what it is indented under: an item, or an example
_FENCED = 12


class Heading(NamedTuple):
    """``end`` is where what is under it starts. The title is as it is written."""

    start: int
    end: int
    level: int
    title: str


def outline(text: str, *, markdown: bool, limit: int) -> Outline:
    found, fences = _blocks(text, markdown=markdown)
    breaks = {heading.start: heading.level for heading in found}
    for start, end in pairwise([0, *breaks, len(text)]):
        # What fits is not cut, and most sections do: the others are looked at more closely.
        if end - start > LONG * limit:
            breaks.update(_paragraphs(text, start, end, step_of(limit)))
    # A heading stays with what is under it, if that is possible at all.
    breaks.update([(heading.end, LINE) for heading in found if heading.end in breaks])
    if fences:
        _keep_whole(fences, breaks)
    return Outline(_sound(text, breaks), _sections(found, len(text)), separator=" > ")


def headings(text: str, *, markdown: bool) -> list[Heading]:
    """All headings in order, but for what looks like one within a code fence.

    Underlines have levels in the order in which they first appear, as reStructuredText has it, but
    for Markdown, which knows two.
    """
    return _blocks(text, markdown=markdown)[0]


_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*+\n)++(?=([ \t])?)")
_FRONT_MATTER = re.compile(r"---[ \t\r]*\n.*?\n---[ \t\r]*(?=\n|\Z)", re.DOTALL)
# All that makes structure, in one pass. It starts with the break before a line, as the search for a
# fixed first character is several times faster than for ``^``, and a look at the next one spares
# most lines the rest. A heading takes blank lines with it, but for the last break.
_REST = r"[^\S\n]*+(?=\n|\Z)(?:\n[^\S\n]*+(?=\n))*+"
_BLOCK = re.compile(
    r"\n(?=[#=\-^\"'*+.:_`~\s])(?:"
    rf"(#{{1,6}})[ \t]++([^\s#][^\n]*+){_REST}"
    rf"|([=\-^\"'#*+.:_])\3{{2,}}+{_REST}"
    r"|[^\S\n]*+(`{3,}+(?![^\n]*`)|~{3,}+)([^\n]*+)"
    r")"
)
_MARKED, _UNDERLINE, _FENCE = 2, 3, 5
"""The last group that took part, by which they are told apart."""


def _blocks(text: str, *, markdown: bool) -> tuple[list[Heading], list[tuple[int, int]]]:
    """The headings outside of fenced code, and the spans of the latter.

    A fence that is never closed holds the rest, as in Markdown. Only there are tildes
    fences: in reStructuredText they underline, as backticks may that are long enough.
    """
    found: list[Heading] = []
    fences: list[tuple[int, int]] = []
    levels = {"=": 1, "-": 2} if markdown else {}
    opened: re.Match[str] | None = None
    front = _front_matter(text)
    # With a break before the first line, a match is at the place that its line has in the text.
    for match in _BLOCK.finditer("\n" + text):
        kind = match.lastindex
        if opened is not None:
            if kind == _FENCE and _closes(match, opened):
                fences[-1] = (fences[-1][0], match.end() - 1)
                opened = None
        elif kind == _MARKED:
            start, end = match.span()
            marks, title = match.group(1, 2)
            found.append(Heading(start, end, len(marks), title.rstrip("# \t\r")))
        elif (
            match.start() > front
            and not (markdown and kind == _FENCE)
            and (heading := _underlined(text, match, levels, markdown=markdown))
        ):
            found.append(heading)
        elif kind == _FENCE and (markdown or match[4][0] == "`"):
            opened = match
            fences.append((match.start(4) - 1, len(text)))
    return found, fences


def _front_matter(text: str) -> int:
    """Where it ends. Its last line would underline the one before."""
    front = _FRONT_MATTER.match(text) if text.startswith("---") else None
    return front.end() if front else 0


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    return fence[4].startswith(opened[4]) and not fence[5].strip()


def _underlined(
    text: str, match: re.Match[str], levels: dict[str, int], *, markdown: bool
) -> Heading | None:
    below, end = match.span()
    start = text.rfind("\n", 0, below - 1) + 1
    title = text[start : below - 1].rstrip()
    line = match[0].rstrip()[1:]
    if not _is_title(title, line, any_length=markdown):
        return None
    style = line[0]
    over = text.rfind("\n", 0, max(start - 1, 0)) + 1
    if start > 0 and text[over:start].strip() == line:
        start, style = over, style * 2
    level = levels.setdefault(style, min(len(levels) + 1, _DEEPEST))
    return Heading(start, end, level, title)


def _is_title(title: str, line: str, *, any_length: bool) -> bool:
    """Whether a line is underlined by the one below, which has no other than its mark."""
    if not title or title.lstrip()[0] in "|>#":
        return False
    if not title.strip(title[0]) and not title.isalnum():
        return False  # a rule, or the other end of a table
    return line == line[0] * len(line) and (any_length or len(line) >= len(title))


def _paragraphs(text: str, start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    while (match := _BLANK_LINES.search(text, start + step, end)) and match.end() < end:
        start = match.end()
        yield start, _INDENTED if match.lastindex else _PARAGRAPH


def _keep_whole(fences: Sequence[tuple[int, int]], breaks: dict[int, int]) -> None:
    """Rather cut anywhere else than within fenced code."""
    places = sorted(breaks)
    for start, end in fences:
        first = bisect_right(places, start)
        last = bisect_left(places, end, first)
        if first < last:
            breaks.update(dict.fromkeys(places[first:last], _FENCED))


def _sound(text: str, breaks: dict[int, int]) -> dict[int, int]:
    """Without the start and, which only few texts can have, places that would change counts."""
    breaks.pop(0, None)
    if breaks and (last := max(breaks)) >= len(text.rstrip()):
        del breaks[last]  # the text ends in blank lines
    if "\r" in text:
        return {at: strength for at, strength in breaks.items() if is_sound(text, at)}
    return breaks


def _sections(found: Sequence[Heading], end: int) -> list[Section]:
    """A section ends at the next heading that is not below its own."""
    ends = [end] * len(found)
    outers: list[int] = []
    path: list[int] = []
    for index, heading in enumerate(found):
        while path and found[path[-1]].level >= heading.level:
            ends[path.pop()] = heading.start
        outers.append(path[-1] if path else -1)
        path.append(index)
    sections: list[Section] = []
    for heading, stop, outer in zip(found, ends, outers, strict=True):
        around = sections[outer] if outer >= 0 else None
        sections.append(Section(heading.start, stop, heading.title, around))
    return sections
