"""Looking again and again, as the duties of a worker do."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from storage.errors import Refused, StorageUnavailable

log = structlog.get_logger()

PASSING: tuple[type[Exception], ...] = (StorageUnavailable, Refused)
"""What goes by: the next look may find it over."""


async def every(
    seconds: float,
    look: Callable[[], Awaitable[object]],
    *,
    waits: str,
    passing: tuple[type[Exception], ...] = PASSING,
) -> None:
    """Look until cancelled. What is ``passing`` is logged under the name in ``waits``."""
    while True:
        try:
            await look()
        except passing as error:
            log.warning(waits, reason=str(error))
        await asyncio.sleep(seconds)
