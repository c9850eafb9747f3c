"""A thousand connections lost during fifty runs: each reader gets each event once, in order."""

import asyncio
import random
import re
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest
from redis.asyncio import Redis

from storage.database import Database
from storage.streams.redis import RedisEventLog
from tests.serving import Story, serving

pytestmark = pytest.mark.timeout(180)

RUNS = 50
LOSSES = 20  # of each reader
TICKS = 80
LAST = TICKS + 3  # queued and started come before, the end after
ID = re.compile(rb"id: (\d+)\nevent: event\ndata: .*\n\n")


@dataclass(slots=True)
class Reader:
    """Reads as a browser does: what is cut in the middle of an event was not received."""

    url: httpx.URL
    path: str
    chance: random.Random
    seen: list[int] = field(default_factory=list[int])
    losses: int = 0
    closed: bool = False

    async def follow(self) -> None:
        """Until a stream ends by itself. Each but the last connection is lost at a random byte."""
        while not self.closed:
            lasts_bytes = self.chance.randrange(1, 1_200) if self.losses < LOSSES else None
            self.closed = await self._connection(lasts_bytes)

    async def _connection(self, lasts_bytes: int | None) -> bool:
        """Whether it was the server that ended it."""
        reader, writer = await asyncio.open_connection(self.url.host, self.url.port)
        place = self.seen[-1] if self.seen else 0
        asked = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: {place}\r\n\r\n"
        writer.write(asked.encode())
        got = b""
        with suppress(ConnectionError):
            while (lasts_bytes is None or len(got) < lasts_bytes) and not reader.at_eof():
                got += await reader.read(self.chance.randrange(1, 1_000))
                if got.endswith(b"\r\n0\r\n\r\n") or b" 204 " in got[:20]:
                    break
        self.seen += [int(seq) for seq in ID.findall(got)]
        writer.transport.abort()
        ended = got.endswith(b"\r\n0\r\n\r\n") or b" 204 " in got[:20]
        self.losses += not ended
        return ended


async def test_a_thousand_reconnects_lose_nothing_repeat_nothing_and_keep_the_order(
    database: Database, redis: Redis
) -> None:
    chance = random.Random(6)  # noqa: S311  # which connections are lost, the same each time
    log = RedisEventLog(redis)
    stories = [await Story.begin(database, log, path=f"/notes/{n}") for n in range(RUNS)]
    async with serving(database, log) as served:
        readers = [
            Reader(httpx.URL(served.url), f"/v1/runs/{story.run}/events", random.Random(n))  # noqa: S311
            for n, story in enumerate(stories)
        ]
        following = asyncio.gather(*(reader.follow() for reader in readers))
        for story in stories:
            await story.start()
        for number in range(TICKS):
            for story in chance.sample(stories, RUNS):
                await story.tick(searchable=number)
        for story in stories:
            await story.end()
        await following

    everything = list(range(1, LAST + 1))
    assert [reader.seen for reader in readers] == [everything] * RUNS
    assert sum(reader.losses for reader in readers) == RUNS * LOSSES
