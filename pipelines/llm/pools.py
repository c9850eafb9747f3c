"""Every model's calls in the pool of its own, shared with all other workers that use the key."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from pipelines.llm.charging import Charging
from pipelines.llm.gateway import Answer, Call, EmbeddingCall, Embeddings, Gateway, Piece
from pipelines.llm.limited import Limited, open_limited
from pipelines.llm.settings import ModelSettings
from storage.database import Database
from storage.errors import Refused, StorageUnavailable
from storage.limits import learned
from storage.limits.broker import Broker
from storage.limits.redis import open_room
from storage.limits.values import Amounts, Dimension, Limit, PoolId, Terms, pool_id

GUESSED_REQUESTS = 500
GUESSED_TOKENS = 200_000
"""A minute, where nobody says: what a new OpenAI account may (rate limits page, tier 1, 2026).

The first reply's headers, or the first refusals, put it right.
"""

GUESSED_LOCAL = 1_000_000_000
"""A minute, of requests and of tokens: none that is felt, until the server tells one or refuses.

What listens on this machine may be a proxy that speaks for a provider with limits.
"""

REMEMBER_SECONDS = 60.0
RAMP_FREE = 1_000_000 / 60  # tokens a second: see ``Terms``
LOCAL_AT_ONCE = 2

log = structlog.get_logger()


@asynccontextmanager
async def open_pools(
    inner: Gateway,
    settings: ModelSettings,
    *,
    key: str,
    redis_url: str,
    database: Database | None = None,
) -> AsyncGenerator[Gateway]:
    """``inner`` behind the limits of each model that is configured.

    What is learned of them is kept in the database, if there is one, and begun with.
    """
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(open_room(redis_url))
        pools = dict[str, Limited]()
        for model in settings.models:
            pool = pool_id(settings.base_url or "", key, model)
            known = await _known(database, pool)
            limited = open_limited(
                inner,
                room=room,
                pool=pool,
                terms=replace(terms(settings), known=known),
                charging=charging(settings),
            )
            pools[model] = await stack.enter_async_context(limited)
        if database is not None:
            await stack.enter_async_context(_remembering(database, pools.values()))
        yield ByModel(inner, pools)


async def remember(database: Database, brokers: Iterable[Broker]) -> None:
    """Keep what they have learned until here."""
    async with database.transaction() as tx:
        for broker in brokers:
            if amounts := broker.learned:
                await learned.keep(tx, broker.pool, amounts)


async def _known(database: Database | None, pool: PoolId) -> Amounts:
    if database is None:
        return {}
    async with database.reading() as tx:
        return await learned.load(tx, pool)


@asynccontextmanager
async def _remembering(database: Database, pools: Iterable[Limited]) -> AsyncGenerator[None]:
    brokers = [each.broker for each in pools]
    task = asyncio.create_task(_keep_on(database, brokers), name="limits-remembered")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_on(database: Database, brokers: Sequence[Broker]) -> None:
    while True:
        await asyncio.sleep(REMEMBER_SECONDS)
        try:
            await remember(database, brokers)
        except (StorageUnavailable, Refused) as error:
            log.warning("limits.not_remembered", reason=str(error))


def terms(settings: ModelSettings) -> Terms:
    at_once, local = settings.concurrency, settings.local
    adaptive = at_once is None and (local or settings.charging is Charging.FREE)
    return Terms(
        limits={} if settings.charging is Charging.FREE else _limits(settings),
        concurrency=LOCAL_AT_ONCE if adaptive else at_once,
        adaptive=adaptive,
        ramp_free=RAMP_FREE,
    )


def _limits(settings: ModelSettings) -> Mapping[Dimension, Limit]:
    requests, tokens = settings.requests_per_minute, settings.tokens_per_minute
    guesses = (
        (GUESSED_LOCAL, GUESSED_LOCAL) if settings.local else (GUESSED_REQUESTS, GUESSED_TOKENS)
    )
    return {
        Dimension.REQUESTS: Limit(amount=requests or guesses[0], learned=requests is None),
        Dimension.TOKENS: Limit(amount=tokens or guesses[1], learned=tokens is None),
    }


def charging(settings: ModelSettings) -> Charging:
    if settings.charging is not None:
        return settings.charging
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
