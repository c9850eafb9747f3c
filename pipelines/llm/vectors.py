"""Vectors by a provider's model: texts in batches that it takes, and what it could not do by text.

A text without a word has no vector. One whose vector is wrong time after time is told from its
neighbours by asking about halves of the batch, and stays without one. If most are wrong, it is the
model's fault, and no more is paid for finding out.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipelines import tokens
from pipelines.errors import MustWait
from pipelines.llm.errors import CallRejected, ModelError, Refused, TooLong, VectorsInvalid
from pipelines.llm.gateway import Caller, EmbeddingCall, Gateway
from storage.embedding import Vectors, normalised, pack

TEXTS_A_CALL = 128
TOKENS_A_CALL = 30_000
"""OpenAI takes 2,048 texts and 300,000 tokens (https://platform.openai.com/docs/api-reference/
embeddings, 2026); a call that large would wait for minutes in a small account's limit."""

TOKENS_A_TEXT = 8_000  # its models take 8,192
CALLS_AT_ONCE = 4

OF_A_TEXT = (CallRejected, Refused, TooLong, VectorsInvalid)
"""What may be the fault of one text in the batch."""

MOST_FAILED = 14
"""Calls for one batch: twice as many as it takes to find one text among 128."""

Vector = bytes | None | ModelError
"""As it is stored; None for a text without words; why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """``dimension`` is what the index has: vectors of any other are wrong. None: not known yet."""

    gateway: Gateway
    model: str
    caller: Caller
    dimension: int | None = None

    async def embed(self, texts: Sequence[str]) -> list[Vector | MustWait]:
        """One for each text. Whatever a call may end with is an answer: others were paid."""
        found: list[Vector | MustWait] = [None] * len(texts)
        places = asyncio.Semaphore(CALLS_AT_ONCE)

        async def fill(rows: Sequence[int]) -> None:
            made: Sequence[Vector | MustWait]
            try:
                async with places:
                    made = await self._batch([texts[row] for row in rows], iter(range(MOST_FAILED)))
            except MustWait as wait:
                made = [wait] * len(rows)
            for row, vector in zip(rows, made, strict=True):
                found[row] = vector

        await settled(fill(rows) for rows in batches(texts))
        return found

    async def _batch(self, texts: Sequence[str], failures: Iterator[int]) -> list[Vector]:
        try:
            return [*pack(await self.vectors(texts))]
        except ModelError as error:
            last = next(failures, None) is None
            if last or len(texts) == 1 or not isinstance(error, OF_A_TEXT):
                return [error] * len(texts)
        middle = len(texts) // 2
        first = await self._batch(texts[:middle], failures)
        return [*first, *await self._batch(texts[middle:], failures)]

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        """Of one call, of length 1. Raises what the gateway does."""
        sent = tuple(tokens.head(text, TOKENS_A_TEXT) for text in texts)
        call = EmbeddingCall(
            model=self.model,
            texts=sent,
            dimension=None,
            input_tokens=sum(tokens.counts(sent)),
            caller=self.caller,
        )
        made = (await self.gateway.embed(call)).vectors
        if self.dimension is not None and made.shape[1] != self.dimension:
            said = f"The vectors have {made.shape[1]} dimensions, and the index {self.dimension}"
            raise VectorsInvalid(said, model=self.model)
        return normalised(made)


async def settled(calls: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them, whatever becomes of one: what is under way is paid already."""
    for error in await asyncio.gather(*calls, return_exceptions=True):
        if error is not None:
            raise error


def batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Rows that share a call: only those with a word in them."""
    batch, room = list[int](), TOKENS_A_CALL
    for row, text in enumerate(texts):
        if not any(map(str.isalnum, text)):
            continue
        cost = min(tokens.count(text), TOKENS_A_TEXT)
        if batch and (len(batch) == TEXTS_A_CALL or cost > room):
            yield batch
            batch, room = [], TOKENS_A_CALL
        batch.append(row)
        room -= cost
    if batch:
        yield batch
