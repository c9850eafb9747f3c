"""What a Redis is like that somebody gave us: what it promises to keep."""

from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from storage.streams.connect import open_redis, reaching


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """``most_bytes`` is 0 where nothing bounds its memory; ``now`` is its own clock."""

    version: str
    append_only: bool
    eviction: str
    used_bytes: int
    most_bytes: int
    now: datetime

    @property
    def evicts_streams(self) -> bool:
        """Whether it may throw a run's stream away when its memory is full."""
        return self.eviction != "noeviction"  # our keys expire, so volatile-* takes them too


async def traits(url: str) -> Traits:
    """Ask it. Raises ``StreamUnavailable``."""
    async with open_redis(url) as redis:
        return await traits_of(redis)


async def traits_of(redis: Redis) -> Traits:
    """``INFO`` is allowed where managed servers forbid ``CONFIG``. Raises ``StreamUnavailable``."""
    async with reaching(redis):
        info = await redis.info()
        seconds, microseconds = await redis.time()
    return Traits(
        version=str(info.get("valkey_version") or info.get("redis_version") or "unknown"),
        append_only=bool(info.get("aof_enabled")),
        eviction=str(info.get("maxmemory_policy", "noeviction")),
        used_bytes=int(info.get("used_memory", 0)),
        most_bytes=int(info.get("maxmemory", 0)),
        now=datetime.fromtimestamp(seconds + microseconds / 1e6, UTC),
    )
