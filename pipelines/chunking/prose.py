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
    fences = _fences(text, markdown=markdown)
    found = headings(text, markdown=markdown)
    if fences:
        found = [heading for heading in found if not _within(heading.start, fences)]
    breaks = {heading.start: heading.level for heading in found}
    for start, end in pairwise([0, *breaks, len(text)]):
        # What fits is not cut, and most sections do: the others are looked at more closely.
        if end - start > LONG * limit:
            breaks.update(_paragraphs(text, start, end, step_of(limit)))
    # A heading stays with what is under it, if that is possible at all.
    breaks.update((heading.end, LINE) for heading in found if heading.end in breaks)
    places = sorted(breaks) if fences else []
    for start, end in fences:
        inside = slice(bisect_right(places, start), bisect_left(places, end))
        breaks.update(dict.fromkeys(places[inside], _FENCED))
    return Outline(_sound(text, breaks), _sections(found, len(text)), separator=" > ")


def headings(text: str, *, markdown: bool) -> list[Heading]:
    """All headings in order.

    Underlines have levels in the order in which they first appear, as reStructuredText has it, but
    for Markdown, which knows two.
    """
    levels = {"=": 1, "-": 2} if markdown else {}
    return sorted([*_marked(text), *_underlined(text, levels, markdown=markdown)])


_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*+\n)++(?=([ \t])?)")
# The search for a fixed first character is several times faster than for ``^``, so that lines are
# recognised by what stands before it. Both end before the first line that is not blank.
_MARKED = re.compile(r"#(?<![^\n]#)(#{0,5})[ \t]++([^\s#][^\n]*+)(?:\n[^\S\n]*+(?=\n))*+\n?")
_UNDERLINE = re.compile(r"\n([=\-~^\"'`#*+.:_])\1{2,}+[^\S\n]*+(?=\n|\Z)(?:\n[^\S\n]*+(?=\n))*+\n?")
_BACKTICKS = re.compile(r"```(`*+)([^\n`]*)(?=\n|\Z)")
_TILDES = re.compile(r"~~~(~*+)([^\n]*)(?=\n|\Z)")
_FRONT_MATTER = re.compile(r"---[ \t\r]*\n.*?\n---[ \t\r]*(?=\n|\Z)", re.DOTALL)


def _marked(text: str) -> Iterator[Heading]:
    for match in _MARKED.finditer(text):
        start, end = match.span()
        marks, title = match.groups()
        yield Heading(start, end, 1 + len(marks), title.rstrip("# \t\r"))


def _underlined(text: str, levels: dict[str, int], *, markdown: bool) -> Iterator[Heading]:
    front = _FRONT_MATTER.match(text) if text.startswith("---") else None
    for match in _UNDERLINE.finditer(text, front.end() if front else 0):
        start = text.rfind("\n", 0, match.start()) + 1
        title = text[start : match.start()].rstrip()
        if not _is_title(title, match[0], any_length=markdown):
            continue
        style, mark = match[1], match[0].strip()
        over = text.rfind("\n", 0, max(start - 1, 0)) + 1
        if start > 0 and text[over:start].strip() == mark:
            start, style = over, style * 2
        level = levels.setdefault(style, min(len(levels) + 1, _DEEPEST))
        yield Heading(start, match.end(), level, title)


def _is_title(line: str, underline: str, *, any_length: bool) -> bool:
    if not line or line.lstrip()[:1] in {"|", ">", "#"}:
        return False
    if len(set(line)) == 1 and not line.isalnum():
        return False  # a rule, or the other end of a table
    return any_length or len(underline.strip()) >= len(line)


def _fences(text: str, *, markdown: bool) -> list[tuple[int, int]]:
    """The spans of fenced code. A fence that is never closed holds the rest, as in Markdown.

    Tildes are fences for Markdown only: in reStructuredText they underline.
    """
    found = [*_BACKTICKS.finditer(text)] if "```" in text else []
    if markdown and "~~~" in text:
        found = sorted([*found, *_TILDES.finditer(text)], key=re.Match[str].start)
    spans: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for match in found:
        if text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip():
            continue  # in the middle of a line
        if opened is None:
            opened = match
        elif _closes(match, opened):
            spans.append((opened.start(), match.end()))
            opened = None
    if opened is not None:
        spans.append((opened.start(), len(text)))
    return spans


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    same = fence.re is opened.re and len(fence[1]) >= len(opened[1])
    return same and not fence[2].strip()


def _within(position: int, spans: Sequence[tuple[int, int]]) -> bool:
    index = bisect_left(spans, (position,)) - 1
    return index >= 0 and position < spans[index][1]


def _paragraphs(text: str, start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    while (match := _BLANK_LINES.search(text, start + step, end)) and match.end() < end:
        start = match.end()
        yield start, _INDENTED if match.lastindex else _PARAGRAPH


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
