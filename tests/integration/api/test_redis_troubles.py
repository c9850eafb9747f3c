"""A Redis that is there and does not serve: readers are told from SQL, and ``/readyz`` says why."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from api.listening import Manner
from storage import embedded
from storage.database import Database
from storage.events import EventKind
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog
from storage.streams.traits import traits_of
from tests.integration.api.following import following, take
from tests.serving import Story, serving
from tests.sse import Told
from tests.waiting import wait_until

Change = Callable[[Redis], Awaitable[None]]
BRISK = Manner(quiet=timedelta(milliseconds=300), poll=timedelta(milliseconds=100))


@pytest.fixture
async def mine(tmp_path: Path) -> AsyncGenerator[Redis]:
    """A Redis that the test may set up as it likes."""
    server = await embedded.ensure(tmp_path / "data")
    async with open_redis(server.url) as redis:
        yield redis
    await server.stop()


async def make_replica(redis: Redis) -> None:
    await redis.slaveof("127.0.0.1", 1)


async def make_primary(redis: Redis) -> None:
    await redis.slaveof()


async def fill(redis: Redis) -> None:
    await redis.config_set("maxmemory", "1")


async def make_room(redis: Redis) -> None:
    await redis.config_set("maxmemory", "0")


@pytest.mark.parametrize(
    ("spoil", "mend", "action"),
    [
        (make_replica, make_primary, "Point HEADWATER_REDIS_URL at the primary"),
        (fill, make_room, "Give Redis more memory"),
    ],
)
async def test_a_redis_that_takes_no_writes_is_as_good_as_none(
    database: Database, mine: Redis, spoil: Change, mend: Change, action: str
) -> None:
    log = RedisEventLog(mine)
    story = await Story.begin(database, log)
    await story.start()
    async with (
        serving(database, log, manner=BRISK) as served,
        httpx.AsyncClient(base_url=served.url, timeout=10, trust_env=False) as client,
        following(client, story) as frames,
    ):
        await take(frames, 1)
        await spoil(mine)
        await story.milestone(EventKind.QUERYABLE, told=False, activity="Something was found")
        shown = [await anext(frames)]
        while shown[-1].data.get("state", {}).get("activity") != "Something was found":
            shown.append(await anext(frames))
        ready = (await client.get("/readyz")).json()
        await mend(mine)
        await wait_until(lambda: not served.services.hub.away)
        back = await _until_placed(frames)

    redis = ready["checks"][-1]
    assert shown[-1].data["seq"] is None
    assert (ready["state"], redis["name"], redis["status"]) == ("degraded", "redis", "degraded")
    assert action in redis["action"]
    assert back.data["state"]["activity"] == "Something was found"


async def test_a_redis_that_may_forget_is_degraded_and_says_what_to_set(
    database: Database, mine: Redis
) -> None:
    await mine.config_set("maxmemory-policy", "allkeys-lru")
    log = RedisEventLog(mine)
    traits = partial(traits_of, mine)
    async with (
        serving(database, log, redis_traits=traits) as served,
        httpx.AsyncClient(base_url=served.url, timeout=10, trust_env=False) as client,
    ):
        degraded = await client.get("/readyz")
        await mine.config_set("maxmemory-policy", "noeviction")
        ready = await client.get("/readyz")

    assert (degraded.status_code, degraded.json()["state"]) == (200, "degraded")
    assert "maxmemory-policy is allkeys-lru" in degraded.json()["checks"][-1]["detail"]
    assert (ready.status_code, ready.json()["state"]) == (200, "ready")


async def _until_placed(frames: AsyncIterator[Told]) -> Told:
    async for frame in frames:
        if frame.event == "snapshot" and frame.data["seq"] is not None:
            return frame
    raise AssertionError("the stream ended")
