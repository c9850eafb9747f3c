"""Prose by its structure: headings and code fences.

One reading for Markdown, reStructuredText and plain text: all underline headings or mark them with
``#``. Paragraphs and what is finer are only looked for where no heading is near enough to end a
chunk; see ``places``.
"""

import re

from pipelines.chunking.outline import MOST_LEVELS, Heading, Outline, Titled
from pipelines.chunking.places import is_sound


def outline(text: str, *, markdown: bool) -> Outline:
    found, fences = _blocks(text, markdown=markdown)
    breaks: dict[int, int] = {}
    heads: dict[int, int] = {}
    first = end = -1
    for start, under, level, _ in found:
        if start != end:  # or else it stays with the one above it
            breaks[first := start] = level
        end = heads[first] = under
    if "\r" in text:
        breaks = {at: level for at, level in breaks.items() if is_sound(text, at)}
    return Titled(breaks, heads, fences, found)


def headings(text: str, *, markdown: bool) -> list[Heading]:
    """All headings in order, but for what looks like one within a code fence.

    Underlines have levels in the order in which they first appear, as reStructuredText has it, but
    for Markdown, which knows two.
    """
    return _blocks(text, markdown=markdown)[0]


_FRONT_MATTER = re.compile(r"---[ \t\r]*\n.*?\n---[ \t\r]*(?=\n|\Z)", re.DOTALL)
# All that makes structure, in one pass. It starts with the break before a line, as the search for a
# fixed first character is several times faster than for ``^``, and a look at the next one spares
# most lines the rest. A heading takes blank lines with it, but for the last break.
_REST = r"[^\S\n]*+(?=\n|\Z)(?:\n[^\S\n]*+(?=\n))*+"
_BLOCK = re.compile(
    r"\n(?=[=\-^\"'#*+.:_`~ \t])(?:"
    rf"(#{{1,6}})[ \t]++([^\s#][^\n]*+){_REST}"
    rf"|(([=\-^\"'#*+.:_])\4\4(?<=[^\n]\n...)\4*+){_REST}"
    r"|[ \t]*+(`{3,}+(?![^\n]*`)|~{3,}+)([^\n]*+)"
    r")"
)
_MARKED, _UNDERLINE, _FENCE = 2, 3, 6
"""The last group that took part, by which they are told apart."""


def _blocks(text: str, *, markdown: bool) -> tuple[list[Heading], list[tuple[int, int]]]:
    """The headings outside of fenced code, and the spans of the latter.

    A fence that is never closed holds the rest, as in Markdown. Only there are tildes
    fences: in reStructuredText they underline, as backticks may that are long enough.
    """
    found: list[Heading] = []
    fences: list[tuple[int, int]] = []
    levels = {"=": 1, "-": 2} if markdown else {}
    opened = ""  # the mark of the fence that we are in
    front = _front_matter(text)
    # With a break before the first line, a match is at the place that its line has in the text.
    for match in _BLOCK.finditer("\n" + text):
        kind = match.lastindex
        if opened:
            if kind == _FENCE and match[5].startswith(opened) and not match[6].strip():
                fences[-1] = (fences[-1][0], match.end() - 1)
                opened = ""
        elif kind == _MARKED:
            start, end = match.span()
            marks, title = match.group(1, 2)
            found.append((start, end, len(marks), title.rstrip("# \t\r")))
        elif (
            match.start() > front
            and not (kind == _FENCE and (markdown or match[6].strip()))
            and (heading := _underlined(text, match, levels, markdown=markdown))
        ):
            found.append(heading)
        elif kind == _FENCE and (markdown or match[5][0] == "`"):
            opened = match[5]
            fences.append((match.start(5) - 1, len(text)))
    return found, fences


def _front_matter(text: str) -> int:
    """Where it ends. Its last line would underline the one before."""
    front = _FRONT_MATTER.match(text) if text.startswith("---") else None
    return front.end() if front else 0


def _underlined(
    text: str, match: re.Match[str], levels: dict[str, int], *, markdown: bool
) -> Heading | None:
    below, end = match.span()
    start = text.rfind("\n", 0, below - 1) + 1
    title = text[start : below - 1].rstrip()
    line = match[3] or match[0][1:].rstrip()
    if not _is_title(title, line, any_length=markdown):
        return None
    style = line[0]
    over = text.rfind("\n", 0, max(start - 1, 0)) + 1
    if start > 0 and text[over:start].strip() == line:
        start, style = over, style * 2
    level = levels.setdefault(style, min(len(levels) + 1, MOST_LEVELS))
    return start, end, level, title


def _is_title(title: str, line: str, *, any_length: bool) -> bool:
    """Whether a line is underlined by the one below, which has no other than its mark."""
    if not title or title.lstrip()[0] in "|>#":
        return False
    if not title.strip(title[0]) and not title.isalnum():
        return False  # a rule, or the other end of a table
    return (any_length or len(line) >= len(title)) and line == line[0] * len(line)
