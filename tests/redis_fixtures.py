"""A real Redis for tests: one server a session, from the PATH or the wheel, emptied for each test.

``conftest`` imports these fixtures for everybody.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator

import pytest
from redis.asyncio import Redis

from storage import embedded
from storage.streams.connect import open_redis


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    server = asyncio.run(embedded.ensure(tmp_path_factory.mktemp("redis")))
    yield server.url
    asyncio.run(server.stop())


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    async with open_redis(redis_url) as redis:
        await redis.flushall()
        yield redis
