"""What was learned of a provider's limits outlives Redis and all workers, in SQL."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from pipelines.llm.gateway import Call, Caller
from pipelines.llm.limited import Limited
from pipelines.llm.pools import ByModel, open_pools, remember
from pipelines.llm.scripted import ScriptedGateway
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import open_thinking
from storage.database import Database
from storage.ids import LOCAL_TENANT
from storage.limits import learned
from storage.limits.values import Dimension, PoolId, pool_id
from tests.mockprovider import Mock
from tests.waiting import wait_until

MODEL = "mock-small"
TOKENS = Dimension.TOKENS
URL = "https://llm.example.com/v1"
SETTINGS = ModelSettings(base_url=URL, model="m")
CALL = Call(
    model="m",
    instructions="Say a letter.",
    content="a",
    schema=None,
    max_output_tokens=5,
    input_tokens=5,
    caller=Caller(purpose="test", tenant=LOCAL_TENANT),
)


async def test_each_pool_keeps_its_own(database: Database) -> None:
    one, other = PoolId("one"), PoolId("other")
    async with database.transaction() as tx:
        await learned.keep(tx, one, {TOKENS: 1_000})
        await learned.keep(tx, one, {TOKENS: 2_000})

    async with database.reading() as tx:
        assert await learned.load(tx, one) == {TOKENS: 2_000}
        assert await learned.load(tx, other) == {}


async def test_a_server_on_this_machine_that_has_a_limit_is_not_asked_beyond_it(
    redis_url: str, mock: Mock
) -> None:
    """It may be a proxy that speaks for a provider: here, for two calls a second."""
    await mock.become(limits={"requests": 120, "tokens": 10_000_000})
    settings = ModelSettings.model_validate({"key": "any", "base_url": mock.url, "model": MODEL})

    async with open_thinking(settings, redis_url=redis_url) as thinking:
        assert thinking is not None
        call = replace(CALL, model=MODEL, max_output_tokens=500)
        await asyncio.gather(*(thinking.gateway.ask(call) for _ in range(20)))

    statuses = (await mock.account())["statuses"]
    assert statuses["200"] == 20
    assert statuses.get("429", 0) <= 5


async def test_workers_begin_where_those_before_them_ended(
    database: Database, redis: Redis, redis_url: str
) -> None:
    pool = pool_id(URL, "key", "m")
    async with database.transaction() as tx:
        await learned.keep(tx, pool, {TOKENS: 42_000})

    gateway = ScriptedGateway(otherwise=lambda _: {"text": "b"})
    async with open_pools(
        gateway, SETTINGS, key="key", redis_url=redis_url, database=database
    ) as pools:
        await pools.ask(CALL)
        assert isinstance(pools, ByModel)
        limited = pools.pools["m"]
        assert isinstance(limited, Limited)
        await wait_until(lambda: TOKENS in limited.broker.rates)
        rates = limited.broker.rates
        await remember(database, [limited.broker])

    async with database.reading() as tx:
        kept = await learned.load(tx, pool)
    assert rates[TOKENS] == pytest.approx(0.99 * 42_000 / 60, rel=0.02)
    assert kept[TOKENS] == pytest.approx(42_000, rel=0.02)
