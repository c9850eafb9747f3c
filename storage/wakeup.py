"""Wakes workers when there is work, so that a run starts at once and not at the next poll.

A ring is a hint: a worker looks at the table anyway when its patience ends, so without Redis
everything works, only later. A ring between a look and a wait is not lost, and every waiting
worker hears it.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog
from redis.asyncio import Redis

from storage.errors import StreamUnavailable
from storage.streams.connect import reaching, wait_for_entries

log = structlog.get_logger()

KEY = "hw:wakeup"
"""A stream of one entry, the last ring; its id tells a new ring from one already heard."""
KEEP = timedelta(hours=1)


class Wakeup(Protocol):
    async def ring(self) -> None: ...

    async def wait(self, seconds: float) -> None:
        """Return at the first ring since the last wait, or after so many seconds."""
        ...


@dataclass(slots=True)
class RedisWakeup:
    """Its key is ``hw:wakeup``, a stream that dies an hour after the last ring."""

    redis: Redis
    _heard: str = field(init=False, default="0-0")

    async def ring(self) -> None:
        try:
            async with reaching(self.redis), self.redis.pipeline(transaction=True) as both:
                both.xadd(KEY, {"ring": "1"}, maxlen=1, approximate=False)
                both.expire(KEY, KEEP)
                await both.execute()
        except StreamUnavailable as error:
            log.warning("wakeup.silent", reason=str(error), action=error.action)

    async def wait(self, seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        try:
            rings = await wait_for_entries(
                self.redis, {KEY: self._heard}, patience_seconds=seconds, limit=1
            )
        except StreamUnavailable as error:
            log.warning("wakeup.deaf", reason=str(error), action=error.action)
            await asyncio.sleep(max(0.0, end - clock()))
            return
        for entries in rings.values():
            self._heard = entries[-1][0]


@dataclass(slots=True)
class MemoryWakeup:
    """For one worker in this process."""

    _rung: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()
