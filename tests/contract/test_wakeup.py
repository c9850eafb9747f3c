"""A ring wakes who waits, is not lost between a look and a wait, and is never needed."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from storage.streams.connect import open_redis
from storage.wakeup import KEY, MemoryWakeup, RedisWakeup, Wakeup
from tests.waiting import turn

LONG = 30.0


@pytest.fixture(params=["memory", "redis"])
def wakeup(request: pytest.FixtureRequest) -> Wakeup:
    if request.param == "memory":
        return MemoryWakeup()
    return RedisWakeup(request.getfixturevalue("redis"))


async def test_a_ring_ends_the_wait(wakeup: Wakeup) -> None:
    waiting = asyncio.create_task(wakeup.wait(LONG))
    await turn()

    await wakeup.ring()

    await asyncio.wait_for(waiting, LONG / 3)


async def test_a_ring_before_the_wait_is_not_lost(wakeup: Wakeup) -> None:
    await wakeup.ring()

    await asyncio.wait_for(wakeup.wait(LONG), LONG / 3)


async def test_a_ring_wakes_once(wakeup: Wakeup) -> None:
    await wakeup.ring()
    await wakeup.ring()
    await wakeup.wait(LONG)

    began = time.monotonic()
    await wakeup.wait(0.05)

    assert time.monotonic() - began >= 0.04


async def test_every_worker_hears_a_ring(redis: Redis) -> None:
    workers = [RedisWakeup(redis), RedisWakeup(redis)]

    await RedisWakeup(redis).ring()

    await asyncio.wait_for(asyncio.gather(*(each.wait(LONG) for each in workers)), LONG / 3)


async def test_rings_leave_nothing_behind(redis: Redis) -> None:
    wakeup = RedisWakeup(redis)

    for _ in range(3):
        await wakeup.ring()

    assert await redis.xlen(KEY) == 1
    assert 0 < await redis.ttl(KEY) <= 3600


async def test_without_redis_a_wait_is_only_a_wait() -> None:
    async with open_redis("redis://127.0.0.1:1/0") as nobody:
        wakeup = RedisWakeup(nobody)
        began = time.monotonic()

        await wakeup.ring()
        await wakeup.wait(0.05)

        assert time.monotonic() - began >= 0.05
