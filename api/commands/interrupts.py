"""Ctrl-C: the first one asks to stop, the next ones end it.

A terminal that closes and a service manager that stops us ask in the same way.
"""

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Interrupts:
    """How often we were asked to stop."""

    count: int = 0


@contextmanager
def interrupts(again: Callable[[], None] = lambda: None) -> Generator[Interrupts]:
    """Cancel the task that is in here when asked to stop; asked once more, call ``again``."""
    task, loop, asked = asyncio.current_task(), asyncio.get_running_loop(), Interrupts()

    def stop() -> None:
        asked.count += 1
        if asked.count > 1:
            again()
        elif task is not None:
            task.cancel()

    for number in ASKING:
        loop.add_signal_handler(number, stop)
    try:
        yield asked
    finally:
        for number in ASKING:
            loop.remove_signal_handler(number)
