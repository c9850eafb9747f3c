"""HTML to text: what a reader would see of it, top to bottom, without addresses and pictures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from connectors.mail.hidden import (
    WHITE,
    Attributes,
    Colour,
    alike,
    colours,
    hidden_names,
    is_hidden,
    is_tiny,
)
from connectors.mail.plain import tidied

MOST_CHARACTERS = 600_000
_BLACK: Colour = (0, 0, 0)
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "fieldset",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_APART = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "pre"}
)
_PIXEL = re.compile(r"\s*[012](?:px)?\s*")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Place:
    """What holds for the text within an element."""

    ink: Colour | None = _BLACK
    ground: Colour = WHITE
    tiny: bool = False
    quoted: int = 0
    kept: bool = False  # line ends and blanks mean what they are


@dataclass(slots=True)
class _Page:
    lines: list[str] = field(default_factory=list[str])
    line: list[str] = field(default_factory=list[str])
    quoted: int = 0
    before: int = 0  # how deep the line before this one is quoted
    apart: bool = False  # the next line comes after an empty one

    def write(self, text: str, place: _Place) -> None:
        if place.quoted != self.quoted:
            self.end_line()
            self.quoted = place.quoted
        if not place.kept:
            text = _SPACE.sub(" ", text)
        first, *others = text.split("\n")
        self.line.append(first)
        for other in others:
            self.end_line(always=True)
            self.line.append(other)

    def end_line(self, *, always: bool = False) -> None:
        text = _SPACE.sub(" ", "".join(self.line)).strip()
        if self.apart and text:
            self.lines.append("> " * min(self.quoted, self.before))
            self.apart = False
        if text or always:
            self.lines.append("> " * self.quoted + text)
            self.before = self.quoted
        self.line.clear()

    def gap(self) -> None:
        self.end_line()
        self.apart = bool(self.lines)


def text(html: str) -> str:
    """The visible text, blocks on lines of their own, quotations behind ``>`` as in plain mail."""
    tree = LexborHTMLParser(html[:MOST_CHARACTERS])
    names = hidden_names("\n".join(node.text() for node in tree.css("style")))
    page = _Page()
    for node, place, over in _visible(tree.root, names):
        if over:
            _break(node.tag or "", page)
        elif node.is_text_node:
            page.write(node.text_content or "", place)
        else:
            _begin(node, place, page)
    page.end_line()
    return tidied("\n".join(page.lines))


def _visible(
    root: LexborNode | None, names: frozenset[str]
) -> Iterator[tuple[LexborNode, _Place, bool]]:
    """Every node that is in sight, in order; an element comes again, with True, when it ends.

    Without recursion, as a page may nest as deep as it likes.
    """
    stack: list[tuple[LexborNode, _Place, bool]] = [(root, _Place(), False)] if root else []
    while stack:
        node, place, over = stack.pop()
        if over:
            yield node, place, True
            continue
        if node.next is not None:
            stack.append((node.next, place, False))
        inner = _inner(node, place, names)
        if inner is None:
            continue
        yield node, inner, False
        if node.child is not None:
            stack.append((node, place, True))
            stack.append((node.child, inner, False))


def _inner(node: LexborNode, place: _Place, names: frozenset[str]) -> _Place | None:
    """What holds within a node; None if nobody sees it."""
    if node.is_text_node:
        seen = place.ink and not place.tiny and not alike(place.ink, place.ground)
        return place if seen else None
    tag = node.tag or ""
    attributes: Attributes = node.attributes if node.is_element_node else {}
    if not node.is_element_node or is_hidden(tag, attributes, names):
        return None
    ink, ground = colours(tag, attributes, ink=place.ink, ground=place.ground)
    quoted = place.quoted + (tag == "blockquote")
    tiny = is_tiny(attributes, inherited=place.tiny)
    return _Place(ink, ground, tiny, min(quoted, 9), place.kept or tag == "pre")


def _begin(node: LexborNode, place: _Place, page: _Page) -> None:
    """The words that an element brings, on a line of their own if it is a block."""
    _break(node.tag or "", page)
    match node.tag:
        case "br":
            page.end_line(always=True)
        case "img":
            page.write(_description(node.attributes), place)
        case "td" | "th":
            page.write(" ", place)
        case "li":
            page.write("- ", place)


def _break(tag: str, page: _Page) -> None:
    if tag in _APART:
        page.gap()
    elif tag in _BLOCKS:
        page.end_line()


def _description(attributes: Attributes) -> str:
    """A picture's own words, unless it is there to count readers."""
    sizes = (attributes.get("width"), attributes.get("height"))
    if any(size and _PIXEL.fullmatch(size) for size in sizes):
        return ""
    return f" {(attributes.get('alt') or '').strip()[:200]} "
