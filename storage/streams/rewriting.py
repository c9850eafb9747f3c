"""Taking out of the server's append-only file what was deleted from its memory.

The file holds every command since it was last rewritten, so also what a deleted stream was told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage.errors import StreamUnavailable
from storage.streams.connect import reaching

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.05
GOES_ON = "in progress"
"""What a server says that rewrites already. Any other refusal is a provider's who forbids it."""


async def rewrite(redis: Redis, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return when a rewrite has ended that began after the call. Does nothing without a file.

    One that is under way does not do: it may keep what was deleted since it began. Raises
    ``StreamUnavailable`` if the server cannot do it, or not in time.
    """
    try:
        async with asyncio.timeout(patience_seconds):
            await _until(partial(_begun, redis))
            await _until(partial(_idle, redis))
    except TimeoutError as error:
        raise StreamUnavailable("Redis does not come to an end with rewriting its file.") from error
    told = await _persistence(redis)
    if told.get("aof_enabled") and told.get("aof_last_bgrewrite_status") == "err":
        raise StreamUnavailable("Redis could not rewrite its file: its log says why.")


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await holds():
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _begun(redis: Redis) -> bool:
    """Whether a rewrite is begun now, or there is none to begin."""
    if not (await _persistence(redis)).get("aof_enabled"):
        return True
    if not await _idle(redis):
        return False
    async with reaching(redis):
        try:
            await redis.bgrewriteaof()
        except ResponseError as error:
            return GOES_ON not in str(error)
    return True


async def _idle(redis: Redis) -> bool:
    told = await _persistence(redis)
    return not (told.get("aof_rewrite_in_progress") or told.get("aof_rewrite_scheduled"))


async def _persistence(redis: Redis) -> Mapping[str, Any]:
    async with reaching(redis):
        return cast(Mapping[str, Any], await redis.info("persistence"))
