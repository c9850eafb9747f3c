"""Where a batch gets its vectors: those of the index that serves, made only where they are new."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from pipelines import stages
from pipelines.chunking import Chunk
from pipelines.context import Context
from pipelines.digest import Digest
from pipelines.errors import MustWait
from pipelines.flows.understanding import Pair
from pipelines.llm.errors import ModelError
from pipelines.llm.outcomes import Unread
from pipelines.llm.vectors import Vector
from pipelines.runtime import Work
from storage import chunks, indexes
from storage.database import Tx
from storage.indexes import LOCAL, Index, IndexChanged

R = TypeVar("R")

TEXTS = 256  # embedded at once
"""An item of the workshop's: large enough to be worth the journey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Vectors by digest, of ``index``. ``serving`` served when they were made."""

    index: Index
    serving: Index
    vectors: Mapping[str, bytes | None]
    faults: Mapping[str, ModelError]
    waits: Mapping[str, MustWait]
    number: int
    """How many had to be made."""

    def wait_of(self, digest: Digest) -> MustWait | None:
        """What has to be waited for before all of an artifact has its vectors."""
        return _first(digest, self.waits)

    def fault(self, digest: Digest) -> Unread | None:
        """Why some of an artifact has no vector."""
        error = _first(digest, self.faults)
        return None if error is None else Unread(error)

    async def check(self, tx: Tx) -> None:
        """Hold the index until the transaction ends. Raises ``IndexChanged``."""
        if await indexes.held(tx) != self.serving:
            raise IndexChanged


def _first(digest: Digest, by_key: Mapping[str, R]) -> R | None:
    keys = (embedded(chunk)[0] for chunk in digest.chunks)
    return next((by_key[key] for key in keys if key in by_key), None)


async def draw(context: Context, work: Work, whole: Sequence[Pair]) -> Drawn:
    """A vector for each chunk of these, or what has become of it."""
    texts = {key: text for _, digest in whole for key, text in map(embedded, digest.chunks)}
    serving = await work.look(indexes.serving)
    # Without a key the workers are about to make the local index serve (``reindexing``).
    index = serving if work.thoughts is not None else LOCAL
    known = await work.look(
        lambda tx: chunks.vectors(tx, work.run.tenant, texts.keys(), model=index.model)
    )
    missing = [key for key in texts if key not in known]
    made = await _make(context, work, index, [texts[key] for key in missing])
    new = dict(zip(missing, made, strict=True))
    faults = {key: each for key, each in new.items() if isinstance(each, ModelError)}
    waits = {key: each for key, each in new.items() if isinstance(each, MustWait)}
    vectors = {key: each if isinstance(each, bytes) else None for key, each in new.items()}
    return Drawn(
        index=index,
        serving=serving,
        vectors={**known, **vectors},
        faults=faults,
        waits=waits,
        number=len(missing) - len(faults) - len(waits),
    )


def embedded(chunk: Chunk) -> tuple[str, str]:
    """What of a chunk becomes a vector, and its digest: equal texts are embedded once."""
    text = f"{chunk.header}\n{chunk.text}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text


async def _make(
    context: Context, work: Work, index: Index, texts: Sequence[str]
) -> Sequence[Vector | MustWait]:
    if index != LOCAL and work.thoughts is not None:
        return await work.thoughts.embedder(index).embed(texts)
    parts = [texts[start : start + TEXTS] for start in range(0, len(texts), TEXTS)]
    made = await asyncio.gather(*(stages.embed(context, part) for part in parts))
    return list(chain.from_iterable(made))
