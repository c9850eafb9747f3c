"""What a Redis is like that somebody gave us: what it promises to keep."""

from dataclasses import dataclass

from storage.streams.connect import open_redis, reaching


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    version: str
    append_only: bool
    eviction: str

    @property
    def evicts_streams(self) -> bool:
        """Whether it may throw a run's stream away when its memory is full."""
        return self.eviction != "noeviction"  # our keys expire, so volatile-* takes them too


async def traits(url: str) -> Traits:
    """Ask it. ``INFO`` is allowed where managed servers forbid ``CONFIG``.

    Raises ``StreamUnavailable``.
    """
    async with open_redis(url) as redis, reaching(redis):
        info = await redis.info()
    return Traits(
        version=str(info.get("valkey_version") or info.get("redis_version") or "unknown"),
        append_only=bool(info.get("aof_enabled")),
        eviction=str(info.get("maxmemory_policy", "noeviction")),
    )
