"""What a broker promises to whoever calls by it, with the pool in Redis and in memory."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from storage import embedded
from storage.errors import CallTooLarge, ProviderWaiting
from storage.limits.broker import Broker, open_broker
from storage.limits.memory import MemoryRoom
from storage.limits.redis import RedisRoom, open_room
from storage.limits.room import Room
from storage.limits.values import (
    Amounts,
    Dimension,
    Ending,
    Limit,
    Outcome,
    PoolId,
    Terms,
    Urgency,
    pool_id,
)
from storage.limits.waiters import Grant
from tests.waiting import turn, wait_until

POOL = PoolId("pool")
TOKENS, REQUESTS = Dimension.TOKENS, Dimension.REQUESTS
FAST = Terms(limits={TOKENS: Limit(amount=6_000_000)})
"""So much that nobody waits but for what the test is about."""


@pytest.fixture(params=["memory", "redis"])
def server(request: pytest.FixtureRequest) -> Redis | None:
    return request.getfixturevalue("redis") if request.param == "redis" else None


@pytest.fixture
def room(server: Redis | None) -> Room:
    return MemoryRoom() if server is None else RedisRoom(server)


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_a_call_is_granted_and_settled(room: Room, stack: AsyncExitStack) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, FAST))

    grant = await ask(broker)
    broker.settle(grant, Outcome(ending=Ending.ANSWERED))

    assert grant.tenant == "t"
    assert not grant.local


async def test_a_slot_goes_to_another_process_when_its_call_is_settled(
    room: Room, stack: AsyncExitStack
) -> None:
    one_at_once = Terms(concurrency=1)
    first = await stack.enter_async_context(open_broker(room, POOL, one_at_once))
    second = await stack.enter_async_context(open_broker(room, POOL, one_at_once))
    grant = await ask(first)
    waiting = asyncio.create_task(ask(second))
    await wait_until(lambda: is_queued(waiting))

    first.settle(grant, Outcome(ending=Ending.ANSWERED))

    assert (await waiting).tenant == "t"


async def test_a_caller_that_goes_away_gives_up_its_place(
    room: Room, stack: AsyncExitStack
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, Terms(concurrency=1)))
    grant = await ask(broker)
    gone = asyncio.create_task(ask(broker))
    next_one = asyncio.create_task(ask(broker))
    await turn()

    gone.cancel()
    await asyncio.wait([gone])
    broker.settle(grant, Outcome(ending=Ending.ANSWERED))

    assert (await next_one).tenant == "t"


async def test_a_process_that_ends_leaves_nobody_waiting_for_it(
    room: Room, stack: AsyncExitStack
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, Terms(concurrency=1)))
    async with open_broker(room, POOL, Terms(concurrency=1)) as other:
        grant = await ask(other)
        other.settle(grant, Outcome(ending=Ending.ANSWERED))

    assert (await ask(broker)).tenant == "t"


async def test_a_call_larger_than_the_limit_is_refused_at_once(
    room: Room, stack: AsyncExitStack
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, FAST))

    with pytest.raises(CallTooLarge, match=r"7,000,000 tokens is over the limit of 6,000,000"):
        await ask(broker, {TOKENS: 7_000_000})


async def test_a_limit_told_in_a_header_decides_what_is_too_large(
    room: Room, stack: AsyncExitStack
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, FAST))
    grant = await ask(broker)
    broker.settle(grant, Outcome(ending=Ending.ANSWERED, limits={TOKENS: 1_000_000}))

    with pytest.raises(CallTooLarge):
        await ask(broker, {TOKENS: 2_000_000})


@pytest.mark.parametrize(
    ("ending", "reason"), [(Ending.PACED, "rate_limited"), (Ending.BLOCKED, "blocked")]
)
async def test_a_long_wait_is_told_with_its_end(
    room: Room, stack: AsyncExitStack, ending: Ending, reason: str
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, Terms(concurrency=1)))
    grant = await ask(broker)
    waiting = asyncio.create_task(ask(broker))
    await turn()
    hour = timedelta(hours=1)

    broker.settle(grant, Outcome(ending=ending, retry_after=hour))

    with pytest.raises(ProviderWaiting) as told:
        await waiting
    assert told.value.reason == reason
    assert abs(told.value.until - datetime.now(UTC) - hour) < timedelta(minutes=1)
    with pytest.raises(ProviderWaiting):
        await ask(broker)


async def test_a_repaired_account_is_tried_when_somebody_says_so(
    room: Room, stack: AsyncExitStack
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, FAST))
    grant = await ask(broker)
    broker.settle(grant, Outcome(ending=Ending.BLOCKED))
    await wait_until(lambda: refuses(broker))

    broker.resume()

    assert (await ask(broker)).tenant == "t"


async def test_many_calls_of_many_processes_are_all_granted(
    room: Room, stack: AsyncExitStack
) -> None:
    brokers = [await stack.enter_async_context(open_broker(room, POOL, FAST)) for _ in range(3)]

    async def call(broker: Broker, tenant: str) -> Grant:
        grant = await ask(broker, tenant=tenant)
        broker.settle(grant, Outcome(ending=Ending.ANSWERED))
        return grant

    calls = [call(broker, f"t{n % 5}") for broker in brokers for n in range(100)]
    granted = await asyncio.gather(*calls)

    assert len({grant.ticket for grant in granted}) == 300


async def test_who_waits_is_not_forgotten_with_the_pool(
    room: Room, server: Redis | None, stack: AsyncExitStack
) -> None:
    broker = await stack.enter_async_context(open_broker(room, POOL, Terms(concurrency=1)))
    await ask(broker)
    waiting = asyncio.create_task(ask(broker))
    await wait_until(lambda: is_queued(waiting))

    if isinstance(room, MemoryRoom):
        room.lose()
    if server:
        await server.flushall()

    assert (await waiting).tenant == "t"


async def test_every_key_expires_and_tells_nothing(redis: Redis, stack: AsyncExitStack) -> None:
    pool = pool_id("https://api.example.com/v1", "sk-secret", "large")
    terms = Terms(limits=FAST.limits, concurrency=1)
    broker = await stack.enter_async_context(open_broker(RedisRoom(redis), pool, terms))
    await ask(broker)
    waiting = asyncio.create_task(ask(broker))

    keys = ("tickets", "held", "leases", "alive", "classes", "tenants:0", "queue:0:t", "state")
    wanted = {f"hw:limits:{{{pool}}}:{name}" for name in keys}
    found = set[str]()

    async def all_there() -> bool:
        found.update(map(str, await redis.keys("*")))
        return wanted <= found

    await wait_until(all_there)
    assert all(key.startswith(f"hw:limits:{{{pool}}}:") for key in found)
    assert "secret" not in " ".join(found)
    for key in await redis.keys("*"):
        assert 0 < await redis.ttl(key) <= 3600
    waiting.cancel()


def test_a_pool_is_named_by_all_that_makes_it_another() -> None:
    names = {
        pool_id(url, key, group)
        for url in ("https://a/v1", "https://b/v1")
        for key in ("sk-1", "sk-2")
        for group in ("", "large")
    }

    assert len(names) == 8
    assert pool_id("https://a/v1/", "sk-1") == pool_id("https://a/v1", "sk-1")


async def test_without_redis_calls_go_on_at_a_safe_share(tmp_path: Path) -> None:
    server = await embedded.ensure(tmp_path)
    terms = Terms(limits={TOKENS: Limit(amount=600_000)})
    async with open_room(server.url) as room, open_broker(room, POOL, terms) as broker:
        broker.settle(await ask(broker), Outcome(ending=Ending.ANSWERED))
        await wait_until(lambda: bool(broker.rates))
        await server.stop()
        await wait_until(lambda: broker.is_alone)

        alone = await ask(broker)
        broker.settle(alone, Outcome(ending=Ending.ANSWERED))

        assert alone.local
        await server.start()
        await wait_until(lambda: not broker.is_alone)
        shared = await ask(broker)
        assert not shared.local
    await server.stop()


async def test_where_redis_was_never_there_calls_go_on_too() -> None:
    terms = Terms(limits={TOKENS: Limit(amount=600_000)})
    async with open_room("redis://127.0.0.1:1/0") as room, open_broker(room, POOL, terms) as broker:
        grant = await ask(broker)

    assert grant.local


async def ask(broker: Broker, cost: Amounts | None = None, tenant: str = "t") -> Grant:
    return await broker.acquire(
        tenant=tenant, urgency=Urgency.INTERACTIVE, cost=cost or {TOKENS: 100, REQUESTS: 1}
    )


def is_queued(task: "asyncio.Task[Grant]") -> bool:
    """Begun, and nothing to be had."""
    return not task.done()


async def refuses(broker: Broker) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await ask(broker)
    except ProviderWaiting:
        return True
    except TimeoutError:
        return False
    return False


async def test_what_was_learned_of_a_limit_outlives_a_pool_that_forgets_it(
    room: Room, server: Redis | None, stack: AsyncExitStack
) -> None:
    guessed = Terms(limits={TOKENS: Limit(amount=6_000_000, learned=True)})
    broker = await stack.enter_async_context(open_broker(room, POOL, guessed))
    broker.settle(await ask(broker), Outcome(ending=Ending.ANSWERED, limits={TOKENS: 900_000}))
    await wait_until(lambda: broker.learned.get(TOKENS, 0) == pytest.approx(900_000, rel=0.01))

    if isinstance(room, MemoryRoom):
        room.lose()
    elif server is not None:
        await server.flushall()
    broker.settle(await ask(broker), Outcome(ending=Ending.ANSWERED))
    again = Terms(limits=guessed.limits, known=broker.learned)
    other = await stack.enter_async_context(open_broker(room, PoolId("other"), again))
    await ask(other)

    assert broker.learned[TOKENS] == pytest.approx(900_000, rel=0.05)
    assert other.learned[TOKENS] == pytest.approx(900_000, rel=0.05)


async def test_a_limit_that_is_stated_is_not_overruled_by_what_was_learned(
    room: Room, stack: AsyncExitStack
) -> None:
    stated = Terms(limits={TOKENS: Limit(amount=6_000_000)}, known={TOKENS: 60_000})
    broker = await stack.enter_async_context(open_broker(room, POOL, stated))

    await ask(broker)

    assert broker.rates[TOKENS] == pytest.approx(0.99 * 100_000)
