"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

Predicate = Callable[[], bool | Awaitable[bool]]


async def wait_until(predicate: Predicate, *, within_seconds: float = 15.0) -> None:
    """Return as soon as ``predicate`` holds; fail if it does not in time."""
    deadline = time.monotonic() + within_seconds
    while not await _holds(predicate):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s: {predicate}")
        await asyncio.sleep(0.01)


async def turn() -> None:
    """Let the other tasks of the loop have a turn; no time passes."""
    await asyncio.sleep(0)


async def _holds(predicate: Predicate) -> bool:
    answer = predicate()
    return bool(await answer if isawaitable(answer) else answer)
