"""What a text is made of: where it may be cut, and what its parts are called."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pipelines.plain import plain

_MOST_NAMES = 3  # more would say less
_LONGEST_NAME = 80

Breaks = Mapping[int, int]
"""Positions where a text may be cut, each with the break's strength: the smaller, the stronger."""


class Section(NamedTuple):
    """A named part: a definition of a program, or a heading with what is under it.

    Positions are in characters. ``outer`` is the section around it. A tuple, because a text has
    many and most are never shown; the name is only made fit to be shown when it is.
    """

    start: int
    end: int
    name: str
    outer: "Section | None"


@dataclass(frozen=True, slots=True)
class Outline:
    """Sections are in the order of their starts, and nest."""

    breaks: Breaks
    sections: Sequence[Section] = ()
    separator: str = "."

    def symbols(self, bounds: Sequence[int]) -> Iterator[str | None]:
        """Name each of the spans between the bounds after the sections it shows something of.

        A section whose inner section is named is not: ``Store.get`` says ``Store`` already.
        """
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
            yield self._label(shown, paths)

    def _label(self, shown: Sequence[Section], paths: dict[int, str]) -> str | None:
        names = [self._path(section, paths) for section in shown[:_MOST_NAMES]]
        if len(shown) > _MOST_NAMES:
            names.append("…")
        return ", ".join(names) or None

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
            path = paths[id(way)] = f"{path}{self.separator}{name}" if way.outer else name
        return path


def _leave(around: list[Section], position: int) -> None:
    while around and around[-1].end <= position:
        around.pop()
