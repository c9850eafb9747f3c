"""Cuts a text into chunks that lose no byte, are never over the limit, and say where they are.

Code is cut along its syntax, prose along its headings and paragraphs, anything else along its
lines. All three only propose breaks; ``packing`` decides which of them become the ends of chunks,
and ``places`` finds an end where no break is near enough.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pipelines import tokens
from pipelines.chunking import code, lines, prose
from pipelines.chunking.languages import is_markdown, is_prose, language_of
from pipelines.chunking.outline import Outline
from pipelines.chunking.packing import Part, pack

LIMIT = 512


class Chunk(NamedTuple):
    """A part of a text. The texts of all chunks, put together, are the text.

    Bytes are those of the decoded text in UTF-8, which are the file's own unless it has another
    encoding or a byte order mark. Lines end with a line feed, count from 1, and ``end_line`` is
    the line of the last character. ``tokens`` counts ``text`` without the header. A tuple, because
    making a frozen dataclass of eight fields takes five times as long.
    """

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    symbol: str | None
    header: str
    text: str
    tokens: int


def cut(text: str, *, path: str | None, title: str, limit: int = LIMIT) -> list[Chunk]:
    """Cut a text. What fits within the limit in tokens and belongs together is not cut."""
    if limit < tokens.MINIMUM:
        raise ValueError(f"a limit of {limit} tokens is too small for one character")
    if not text:
        return []
    outline = _outline(text, path, limit)
    parts = pack(text, outline, limit=limit)
    symbols = outline.symbols([0, *[end for end, _, _ in parts]])
    return _chunks(text, parts, symbols, name=path or title)


def _outline(text: str, path: str | None, limit: int) -> Outline:
    language = language_of(path, text)
    if language is not None and (found := code.outline(text, language, limit=limit)):
        return found
    if language is None and is_prose(path):
        return prose.outline(text, markdown=is_markdown(path))
    return lines.outline(text)


def _chunks(
    text: str, parts: Iterable[Part], symbols: Iterable[str | None], name: str
) -> list[Chunk]:
    chunks: list[Chunk] = []
    make = Chunk._make
    start, byte, line = 0, 0, 1
    for (end, end_byte, cost), symbol in zip(parts, symbols, strict=True):
        part = text[start:end]
        breaks = part.count("\n")
        last = line + breaks - (part[-1] == "\n")
        header = f"{name} · {symbol}" if symbol else name
        chunks.append(make((byte, end_byte, line, last, symbol, header, part, cost)))
        start, byte, line = end, end_byte, line + breaks
    return chunks
