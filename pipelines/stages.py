"""What happens to an artifact, one function a verb. Components only: no database, no stream."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pipelines import embedding
from pipelines.component import component
from pipelines.context import Context
from pipelines.digest import Digest, Document
from pipelines.digest import digest as make_digest
from pipelines.guards import Boundary, Timeout, Traced
from pipelines.reader import PRODUCER
from pipelines.workshop import Workshop

READER: Mapping[str, Any] = {
    "producer": PRODUCER,
    "model": None,
    "note": "No model read what is new: its summaries are extracted, and its vectors are static.",
}
CUT = "chunks/1"
"""Raise it with every change of decoding or cutting that gives other chunks of the same bytes."""

LONGEST = timedelta(minutes=10)  # with all that waits in the workshop before it


MADE, READ = 40, 24
"""Characters of a ``ready_key``: of what was made of a content here, and of who read it."""


def ready_key(digest: str, reader: str = "") -> str:
    """What a content is made into, by which versions.

    ``reader`` says which model reads, by which prompt and profile; "" where none does.
    """
    made_by = _hashed(f"{digest}\n{CUT}\n{PRODUCER}\n{embedding.MODEL}")[:MADE]
    return made_by + (_hashed(reader)[:READ] if reader else "0" * READ)


def is_made(key: str | None, digest: str, reader: str = "") -> bool:
    """Whether it need not be made again. Where no model reads, what one has read is as good."""
    wanted = ready_key(digest, reader)
    return key is not None and (key == wanted if reader else key[:MADE] == wanted[:MADE])


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def warm(workshop: Workshop) -> None:
    """Let the workshop load what the first document would have to wait for."""
    await workshop.run(make_digest, Document(b"warm", path="warm.md", title="warm"))
    await workshop.run(embedding.embed, ["warm"])


@component(Traced(), Boundary(), Timeout(LONGEST.total_seconds()))
async def digest(context: Context, document: Document) -> Digest:
    """Decode, cut and read it. Whoever kills a process with this is the document."""
    return await context.workshop.run(make_digest, document)


@component(Traced(), Boundary(), Timeout(LONGEST.total_seconds()))
async def embed(context: Context, texts: Sequence[str]) -> list[bytes | None]:
    """A vector for each text, None for one without words."""
    return await context.workshop.run(embedding.embed, list(texts))
