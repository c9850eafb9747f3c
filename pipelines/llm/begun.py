"""A stream of which the first piece is there: until then it may be asked for again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from pipelines.llm.gateway import Piece


@dataclass(frozen=True, slots=True)
class Begun:
    first: Piece
    rest: AsyncGenerator[Piece]

    async def pieces(self) -> AsyncGenerator[Piece]:
        async with aclosing(self.rest) as rest:
            yield self.first
            async for piece in rest:
                yield piece


async def begin(stream: AsyncGenerator[Piece]) -> Begun:
    """Wait for the first piece. Raises what the stream raises instead of it."""
    return Begun(await anext(stream), stream)
