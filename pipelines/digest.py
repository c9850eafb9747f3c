"""Everything that needs a processor and no network, for one document: one trip to the workshop."""

from dataclasses import dataclass

from pipelines.chunking import LIMIT, Chunk, cut
from pipelines.decoding import decode
from pipelines.reader import Reading, read


@dataclass(frozen=True, slots=True)
class Document:
    """``limit`` is in tokens a chunk."""

    data: bytes
    path: str | None
    title: str
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class Digest:
    """``text_bytes`` is the size of the text in UTF-8: the end of the last chunk."""

    text_bytes: int
    encoding: str
    chunks: tuple[Chunk, ...]
    reading: Reading


def digest(document: Document) -> Digest:
    """Decode, cut and read; raises ``Undecodable``. Pure: equal documents give equal digests."""
    decoded = decode(document.data)
    chunks = cut(decoded.text, path=document.path, title=document.title, limit=document.limit)
    reading = read(decoded.text, title=document.title, path=document.path)
    text_bytes = chunks[-1].end_byte if chunks else 0
    return Digest(text_bytes, decoded.encoding, tuple(chunks), reading)
