"""Every model's calls in the pool of its own, shared with all other workers that use the key."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

from pipelines.llm.charging import Charging
from pipelines.llm.gateway import Answer, Call, EmbeddingCall, Embeddings, Gateway, Piece
from pipelines.llm.limited import open_limited
from pipelines.llm.settings import ModelSettings
from storage.limits.redis import open_room
from storage.limits.values import Dimension, Limit, Terms, pool_id

GUESSED_REQUESTS = 500
GUESSED_TOKENS = 200_000
"""A minute, where nobody says: what a new OpenAI account may (rate limits page, tier 1, 2026).

The first reply's headers, or the first refusals, put it right.
"""

RAMP_FREE = 1_000_000 / 60  # tokens a second: see ``Terms``
LOCAL_AT_ONCE = 2


@asynccontextmanager
async def open_pools(
    inner: Gateway, settings: ModelSettings, *, key: str, redis_url: str
) -> AsyncGenerator[Gateway]:
    """``inner`` behind the limits of each model that is configured."""
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(open_room(redis_url))
        yield ByModel(
            inner,
            {
                model: await stack.enter_async_context(
                    open_limited(
                        inner,
                        room=room,
                        pool=pool_id(settings.base_url or "", key, model),
                        terms=terms(settings),
                        charging=charging(settings),
                    )
                )
                for model in settings.models
            },
        )


def terms(settings: ModelSettings) -> Terms:
    if charging(settings) is Charging.FREE:
        at_once = settings.concurrency
        return Terms(concurrency=at_once or LOCAL_AT_ONCE, adaptive=at_once is None)
    said = {
        Dimension.REQUESTS: (settings.requests_per_minute, GUESSED_REQUESTS),
        Dimension.TOKENS: (settings.tokens_per_minute, GUESSED_TOKENS),
    }
    return Terms(
        limits={
            dimension: Limit(amount=amount or guess, learned=amount is None)
            for dimension, (amount, guess) in said.items()
        },
        concurrency=settings.concurrency,
        ramp_free=RAMP_FREE,
    )


def charging(settings: ModelSettings) -> Charging:
    if settings.charging is not None:
        return settings.charging
    if settings.local:
        return Charging.FREE
    return Charging.OPENAI if settings.base_url is None else Charging.WHOLE


@dataclass(frozen=True, slots=True)
class ByModel:
    """A model that has no pool is called without waiting for anybody."""

    inner: Gateway
    pools: Mapping[str, Gateway]

    async def ask(self, call: Call) -> Answer:
        return await self._of(call.model).ask(call)

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        async with aclosing(self._of(call.model).stream(call)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        return await self._of(call.model).embed(call)

    def _of(self, model: str) -> Gateway:
        return self.pools.get(model, self.inner)
