"""Looking again and again, as the duties of a worker do."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from storage.errors import Refused, StorageUnavailable

T = TypeVar("T")
R = TypeVar("R")
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


async def come_to(
    due: Iterable[T],
    do: Callable[[T], Awaitable[R | None]],
    *,
    waits: str,
    passing: tuple[type[Exception], ...] = (Refused,),
) -> list[R]:
    """Do each, and answer what came of them. One that must wait holds up no other.

    Where the database itself is away, all of them wait: that is for ``every`` to tell.
    """
    done = []
    for each in due:
        try:
            came = await do(each)
        except passing as error:
            log.warning(waits, reason=str(error))
        else:
            if came is not None:
                done.append(came)
    return done
