"""A stream that answers when the test lets it: what happens meanwhile is the test's to say."""

import asyncio
from dataclasses import dataclass, field

from storage.events import Position
from storage.ids import RunId
from storage.streams.redis import RedisEventLog


@dataclass
class Held(RedisEventLog):
    """Does not say how far a stream has come before it may."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def position(self, run: RunId) -> Position | None:
        self.asked.set()
        await self.go.wait()
        return await super().position(run)
