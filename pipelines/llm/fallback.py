"""Another model where the one that was asked cannot answer. Which ones, the operator says.

An answer tells which model gave it. Vectors are never another model's: they could not be compared.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from pipelines.errors import MustWait
from pipelines.llm.begun import begin
from pipelines.llm.errors import (
    AnswerMalformed,
    CallRejected,
    ModelError,
    ModelUnknown,
    ProviderDown,
    SpentForToday,
    TooLong,
)
from pipelines.llm.gateway import Answer, Call, EmbeddingCall, Embeddings, Gateway, Piece

R = TypeVar("R")

ANOTHER_MAY = (
    AnswerMalformed,
    CallRejected,
    ModelUnknown,
    MustWait,
    ProviderDown,
    SpentForToday,
    TooLong,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FallingBack:
    """If none of ``models`` answers either, the first one's error is raised."""

    inner: Gateway
    models: Sequence[str]

    async def ask(self, call: Call) -> Answer:
        return await self._first(call, self.inner.ask)

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        """Another model only while nothing is out: nobody can take back what was read."""
        begun = await self._first(call, lambda each: begin(self.inner.stream(each)))
        async with aclosing(begun.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        return await self.inner.embed(call)

    async def _first(self, call: Call, ask: Callable[[Call], Awaitable[R]]) -> R:
        first: ModelError | MustWait | None = None
        chain = self._chain(call)
        for each in chain:
            try:
                return await ask(each)
            except ANOTHER_MAY as error:
                first = first or error
                if each is not chain[-1]:
                    _tell(each, error)
        assert first is not None  # noqa: S101  # the chain has at least the call itself
        raise first

    def _chain(self, call: Call) -> list[Call]:
        others = [replace(call, model=model) for model in self.models if model != call.model]
        return [call, *others]


def _tell(call: Call, error: Exception) -> None:
    log.warning("model.fell_back", model=call.model, error=type(error).__name__)
