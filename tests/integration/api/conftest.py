"""The api over SQLite and a real Redis, with a client that talks to it over a socket."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from storage.database import Database
from storage.events import EventLog
from storage.streams.redis import RedisEventLog
from tests.serving import Served, Story, asking, serving


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """One kind of database is enough here: the stores' own tests know both."""
    file = tmp_path / "headwater.db"
    shutil.copyfile(migrated_sqlite, file)
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture
def log(redis: Redis) -> EventLog:
    return RedisEventLog(redis, length=50)


@pytest.fixture
async def served(database: Database, log: EventLog) -> AsyncGenerator[Served]:
    async with serving(database, log) as served:
        yield served


@pytest.fixture
async def client(served: Served) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
async def web(database: Database, log: EventLog) -> AsyncGenerator[httpx.AsyncClient]:
    """Like ``client``, without a socket and without streams."""
    async with asking(database, log) as client:
        yield client


@pytest.fixture
async def story(database: Database, log: EventLog) -> Story:
    return await Story.begin(database, log)
