"""What a text is made of: where it may be cut, and what its parts are called."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from typing import NamedTuple

from pipelines.plain import plain

MOST_LEVELS = 9
_MOST_NAMES = 3  # more would say less
_LONGEST_NAME = 80

Breaks = Mapping[int, int]
"""Positions where a text may be cut, each with the break's strength: the smaller, the stronger."""


class Section(NamedTuple):
    """A named part: a definition of a program.

    Positions are in characters. ``outer`` is the section around it. A tuple, because a text has
    many and most are never shown; the name is only made fit to be shown when it is.
    """

    start: int
    end: int
    name: str
    outer: "Section | None"


Heading = tuple[int, int, int, str]
"""Where it starts, where what is under it starts, its level, and its title as it is written.

A plain tuple, as parts are: naming the fields takes longer than finding what is in them.
"""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a text is made of. Without names: those that have some are below.

    ``heads`` says of a place where what must not be parted from it starts; ``fences`` are the spans
    that are rather kept whole, in order.
    """

    breaks: Breaks
    heads: Mapping[int, int] = field(default_factory=dict[int, int])
    fences: Sequence[tuple[int, int]] = ()

    def symbols(self, bounds: Sequence[int]) -> Iterator[str | None]:
        """Name each of the spans between the bounds after the sections it shows something of.

        A section whose inner section is named is not: ``Store.get`` says ``Store`` already.
        """
        return repeat(None, len(bounds) - 1)


@dataclass(frozen=True, slots=True)
class Titled(Outline):
    """Under headings, in order. The section of one ends at the next that is not below it."""

    headings: Sequence[Heading] = ()

    def symbols(self, bounds: Sequence[int]) -> Iterator[str | None]:
        paths = self._paths()
        starts = [start for start, _, _, _ in self.headings]
        levels = [level for _, _, level, _ in self.headings]
        first = 0  # of the headings within
        for start, end in pairwise(bounds):
            after = bisect_left(starts, end, first)
            shown = first
            if shown and (shown == after or starts[shown] > start):
                shown -= 1
            first = after
            last = after - 1
            if shown >= last:  # most show one heading, or none
                yield paths[shown] if shown == last else None
                continue
            names = [paths[at] for at in range(shown, last) if levels[at + 1] <= levels[at]]
            names.append(paths[last])
            yield _label(names)

    def _paths(self) -> list[str]:
        above = [""] * (MOST_LEVELS + 2)  # by level, known as far as that of what is under the last
        known = 1
        paths: list[str] = []
        for _, _, level, title in self.headings:
            if level > known:  # one that is left out
                above[known + 1 : level + 1] = [above[known]] * (level - known)
            path = above[level] + plain(title, longest=_LONGEST_NAME)
            above[known := level + 1] = path + " > "
            paths.append(path)
        return paths


@dataclass(frozen=True, slots=True)
class Defined(Outline):
    """Definitions in the order of their starts. They nest."""

    sections: Sequence[Section] = ()

    def symbols(self, bounds: Sequence[int]) -> Iterator[str | None]:
        around: list[Section] = []
        paths: dict[int, str] = {}
        sections = iter(self.sections)
        ahead = next(sections, None)
        for start, end in pairwise(bounds):
            _leave(around, start)
            shown = around[-1:]
            while ahead and ahead.start < end:
                _leave(around, ahead.start)
                if shown and shown[-1] is ahead.outer:
                    shown.pop()
                around.append(ahead)
                shown.append(ahead)
                ahead = next(sections, None)
            names = [self._path(section, paths) for section in shown[: _MOST_NAMES + 1]]
            yield _label(names) or None

    def _path(self, section: Section, paths: dict[int, str]) -> str:
        """Known paths by the sections' ids: most chunks share the names around them."""
        ways: list[Section] = []
        at: Section | None = section
        while at and id(at) not in paths:
            ways.append(at)
            at = at.outer
        path = paths[id(at)] if at else ""
        for way in reversed(ways):
            name = plain(way.name, longest=_LONGEST_NAME)
            path = paths[id(way)] = f"{path}.{name}" if way.outer else name
        return path


def _leave(around: list[Section], position: int) -> None:
    while around and around[-1].end <= position:
        around.pop()


def _label(names: list[str]) -> str:
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES:] = "…"
    return ", ".join(names)
