"""Code along its syntax: functions, classes and methods stay whole where they fit.

Tree-sitter builds the whole tree in C. Only the children of large nodes are looked at from here:
making a Python object for each node would cost more than parsing. Positions are bytes at first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from tree_sitter import Node, Tree

from pipelines.chunking.languages import Language, parser_of
from pipelines.chunking.naming import DEFINITIONS, WRAPPERS, name_of
from pipelines.chunking.outline import Defined, Outline, Section
from pipelines.chunking.places import is_sound

_LARGEST = 1_000_000  # characters; what is larger was generated, and its tree would take 100 MB
_LONGEST_LINE = 500  # on average; minified code has no lines to cut at
_WINDOW = 65_536

# Steps a parse may take: nearly twice what the densest of 3,000 real files took. Some inputs, like
# `a<a<a<…` in Java, take a minute for 60 KB. Steps and not seconds: a file is always cut alike.
_STEPS = 300
_STEPS_A_KB = 20

_DEEPEST = 900  # deeper nodes are as strong as these
_JOINT = 901  # between a head and its body, a comment and what it is about; stronger than lines
_INDENT = 400  # a node further to the right does not start a line
_LEADING = frozenset({"comment", "line_comment", "block_comment", "attribute_item", "decorator"})
"""What belongs to the node after it."""


def outline(text: str, language: Language, *, limit: int) -> Outline | None:
    """The breaks between nodes, and the definitions. None if the syntax cannot help."""
    if len(text) > _LARGEST or len(text) > _LONGEST_LINE * (text.count("\n") + 10):
        return None
    data = text.encode()
    tree = _parse(data, language)
    if tree is None:
        return None
    # A token is rarely less than two bytes: descending too often costs time, but does no harm.
    walk = _Walk(data, large=2 * limit)
    walk.over(tree.root_node)
    return _in_characters(text, data, walk)


@dataclass(slots=True)
class _Definition:
    start: int
    end: int
    name: str
    outer: int  # its place in the list of definitions; -1 for none


@dataclass(slots=True)
class _Walk:
    data: bytes
    large: int
    breaks: dict[int, int] = field(default_factory=dict[int, int])
    definitions: list[_Definition] = field(default_factory=list[_Definition])

    def over(self, root: Node) -> None:
        """Visit the children of large nodes; a stack, as code may nest deeper than Python calls."""
        waiting = [(root, 1, -1)]
        while waiting:
            node, depth, outer = waiting.pop()
            children = node.named_children
            self._part(node, children, depth)
            if outer >= 0 and node.type in WRAPPERS:
                outer = self.definitions[outer].outer
            for child in children:
                scope = self._define(child, outer)
                if child.end_byte - child.start_byte > self.large:
                    waiting.append((child, min(depth + 1, _DEEPEST), scope))

    def _part(self, node: Node, children: Iterable[Node], depth: int) -> None:
        """A break before each child that starts a line, but only a joint after what leads to it."""
        head = node.start_byte
        leads_until = -1
        for child in children:
            start = child.start_byte
            line = self.line_start(start)
            if line is None:
                leads_until = -1
                continue
            led = leads_until >= 0 and self.data.count(b"\n", leads_until, start) <= 1
            self.breaks.setdefault(line, _JOINT if led or head < line else depth)
            head = len(self.data)  # it ends at the first child on a line of its own
            leads_until = child.end_byte if child.type in _LEADING else -1

    def _define(self, node: Node, outer: int) -> int:
        """Note a definition, and say which definition is around what is in the node."""
        if node.type not in DEFINITIONS or not (name := name_of(node, self.data)):
            return outer
        line = self.line_start(node.start_byte)
        start = node.start_byte if line is None else line
        self.definitions.append(_Definition(start, node.end_byte, name, outer))
        return len(self.definitions) - 1

    def line_start(self, position: int) -> int | None:
        """Where the line starts, if only white space stands before the position."""
        first = max(position - _INDENT, 0)
        line = self.data.rfind(b"\n", first, position) + 1
        if line == 0 and first > 0:
            return None
        return line if not self.data[line:position].strip(b" \t") else None


def _parse(data: bytes, language: Language) -> Tree | None:
    parser = parser_of(language)
    left = _STEPS + _STEPS_A_KB * len(data) // 1000

    def is_stuck(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001  # tree-sitter's protocol
        nonlocal left
        left -= 1
        return left < 0

    try:
        return parser.parse(
            lambda offset, _point: data[offset : offset + _WINDOW], progress_callback=is_stuck
        )
    except ValueError:
        parser.reset()  # it would go on with this file otherwise
        return None


def _in_characters(text: str, data: bytes, walk: _Walk) -> Outline:
    places = {*walk.breaks, *(at for d in walk.definitions for at in (d.start, d.end))}
    at = _characters(data, places) if len(text) < len(data) else {place: place for place in places}
    breaks = {at[b]: s for b, s in walk.breaks.items() if is_sound(text, at[b])}
    sections: list[Section] = []
    for it in walk.definitions:
        outer = sections[it.outer] if it.outer >= 0 else None
        sections.append(Section(at[it.start], at[it.end], it.name, outer))
    sections.sort(key=lambda section: (section.start, -section.end))
    return Defined(breaks, sections=sections)


def _characters(data: bytes, places: Iterable[int]) -> dict[int, int]:
    """The same places counted in characters. No place is within a character."""
    ordered = [0, *sorted(places)]
    lengths = (len(data[a:b].decode()) for a, b in pairwise(ordered))
    return dict(zip(ordered[1:], accumulate(lengths), strict=True))
