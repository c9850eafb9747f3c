"""The limiter's state in Redis: one script decides everything, by Redis' own clock.

Commands are those of Redis 6.2, so any later one will do, and Valkey. The keys are told in
``keys.py``, what the script is told and answers in ``wire.py``.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import cast

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.maint_notifications import MaintNotificationsConfig

from storage.errors import LimitsUnavailable, SetupError
from storage.limits.keys import key
from storage.limits.values import Answer, Delivery, PoolId, ProcessId, Turn
from storage.limits.wire import pack, unpack, unpack_delivery

PARTS = ("state", "queue", "settle", "pump")
REDIS_CLOCK = "local TIME = redis.call('TIME')\nlocal now = TIME[1] + TIME[2] / 1e6\n"
"""Lua that sets ``now``: the time of the one who decides, so that no two workers' clocks matter."""

CONNECT_SECONDS = 0.25
ANSWER_SECONDS = 1.0
BATCH = 100


@dataclass(slots=True)
class RedisRoom:
    """``clock`` is for tests, which hand in a clock they can stop; no setting reaches it."""

    redis: Redis
    clock: str = REDIS_CLOCK
    answer_seconds: float = ANSWER_SECONDS

    _script: AsyncScript = field(init=False)

    def __post_init__(self) -> None:
        folder = files("storage.limits").joinpath("script")
        parts = [folder.joinpath(f"{name}.lua").read_text() for name in PARTS]
        self._script = self.redis.register_script("\n".join([self.clock, *parts]))

    async def turn(self, pool: PoolId, turn: Turn) -> Answer:
        async with _reaching(self.answer_seconds):
            answer = await self._script(keys=[key(pool)], args=[pack(turn)])
        return unpack(cast(str, answer))

    async def deliveries(
        self, pool: PoolId, process: ProcessId, *, patience_seconds: float
    ) -> Sequence[Delivery]:
        inbox = key(pool, "inbox", process)
        async with _reaching(patience_seconds + self.answer_seconds):
            # redis-py does not know that we decode responses
            first = cast(
                Sequence[str] | None, await self.redis.blpop([inbox], timeout=patience_seconds)
            )
            if not first:
                return ()
            more = cast(Sequence[str] | None, await self.redis.lpop(inbox, BATCH))
        return [unpack_delivery(text) for text in (first[1], *(more or ()))]


@asynccontextmanager
async def open_room(url: str) -> AsyncGenerator[RedisRoom]:
    """A room that says at once when Redis is gone: the calls go on without it, so none may wait.

    redis-py's own retries would hide a dead server for seconds, and its default time-out would end
    every wait for a delivery after five.
    """
    try:
        redis = Redis.from_url(
            url,
            protocol=3,
            legacy_responses=False,  # the same shapes whatever protocol the URL asks for
            decode_responses=True,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except ValueError:  # its message may hold a piece of the password
        raise SetupError(
            "HEADWATER_REDIS_URL is not the address of a Redis server.",
            action="Write it like redis://:password@host:6379/0 (rediss:// with TLS).",
        ) from None
    try:
        yield RedisRoom(redis)
    finally:
        await redis.aclose()


@asynccontextmanager
async def _reaching(seconds: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise LimitsUnavailable(f"Redis does not answer within {seconds:g} s.") from error
    except (exceptions.RedisError, OSError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise LimitsUnavailable(f"Redis does not serve: {reason}.") from error
