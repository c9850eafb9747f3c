"""A connection to Redis that fails soon, clearly, and without telling the password."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.typing import KeyT, StreamIdT

from storage.errors import SetupError, StreamUnavailable

ANSWER_SECONDS = 5.0

ACTIONS: Mapping[type[Exception], str] = {
    exceptions.AuthenticationError: "Check the user and the password in HEADWATER_REDIS_URL.",
    exceptions.NoPermissionError: "Give the user in HEADWATER_REDIS_URL access to the keys hw:*.",
    exceptions.BusyLoadingError: "Wait: Redis is reading its data from disk.",
    exceptions.ReadOnlyError: "Point HEADWATER_REDIS_URL at the primary: this is a replica.",
    exceptions.OutOfMemoryError: "Give Redis more memory (its setting maxmemory).",
}
SAYS_DISK = "MISCONF"
DISK_ACTION = "Free space on the disk of Redis: it cannot keep what it is told."
"""What to do about what Redis says, the special before the general."""


Entries = Mapping[str, Sequence[tuple[str, Mapping[str, str]]]]
"""Entry ids and their fields, by stream. redis-py's own types hold all shapes of all protocols."""


@asynccontextmanager
async def open_redis(url: str) -> AsyncGenerator[Redis]:
    """A client, not connected yet. Use it within ``reaching``, which ends what takes too long."""
    try:
        redis = Redis.from_url(
            url,
            protocol=3,
            legacy_responses=False,  # the same shapes whatever protocol the URL asks for
            decode_responses=True,
            # Its own time-out would end every wait for news after 5 s, and before Python 3.12 it
            # can swallow a cancellation (``wait_for`` does): a worker would not stop.
            socket_timeout=None,
            socket_connect_timeout=ANSWER_SECONDS,
            # One more try is for a pooled connection that died while idle; more would hide a dead
            # server. What is done twice does no harm: milestones are known by their number, and a
            # tick that is told twice changes nothing.
            retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except ValueError:  # its message may hold a piece of the password
        raise SetupError(
            "HEADWATER_REDIS_URL is not the address of a Redis server.",
            action="Write it like redis://:password@host:6379/0 (rediss:// with TLS).",
        ) from None
    try:
        yield redis
    finally:
        await redis.aclose()


@asynccontextmanager
async def reaching(redis: Redis, *, seconds: float = ANSWER_SECONDS) -> AsyncGenerator[None]:
    """Turns whatever keeps Redis from doing its work in time into ``StreamUnavailable``."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        message = f"Redis at {_address(redis)} does not answer within {seconds:g} s."
        raise StreamUnavailable(message) from error
    except (exceptions.RedisError, OSError) as error:
        action = next((ACTIONS[kind] for kind in ACTIONS if isinstance(error, kind)), None)
        action = DISK_ACTION if SAYS_DISK in str(error) else action
        reason = str(error).rstrip(".") or type(error).__name__
        message = f"Redis at {_address(redis)} does not serve: {reason}."
        raise StreamUnavailable(message, action=action) from error


async def wait_for_entries(
    redis: Redis, cursors: Mapping[str, str], *, patience_seconds: float, limit: int
) -> Entries:
    """Entries after these ids, by key, as soon as there are any; empty when patience ends.

    The ids must be real ones: ``$`` would skip what comes between two calls.
    """
    streams: dict[KeyT, StreamIdT] = dict(cursors.items())
    milliseconds = max(1, round(patience_seconds * 1000))  # zero would be for ever
    async with reaching(redis, seconds=patience_seconds + ANSWER_SECONDS):
        found = await redis.xread(streams, count=limit, block=milliseconds)
    return cast(Entries, found)


def _address(redis: Redis) -> str:
    known = redis.connection_pool.connection_kwargs
    if "path" in known:
        return str(known["path"])
    return f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"
