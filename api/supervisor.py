"""Child processes that are kept up, and go down together.

Each child leads a session of its own, so that a Ctrl-C at the terminal reaches only us and we
decide the order in which the children stop; and each is leashed, so that none outlives us. What a
dead child leaves behind in its session is killed before it is started again.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from api.logfile import last_words, open_log, trim
from storage import leash

LEASH = (sys.executable, "-I", "-S", leash.__file__)
LOOK_EVERY_SECONDS = 0.1
TRIM_EVERY_SECONDS = 30.0


class PartFailed(Exception):
    """A part cannot be started at all. ``log`` is where it said why."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        said = last_words(log)
        super().__init__(
            f"The {name} does not start ({reason}). Its log: {log}" + (f"\n{said}" if said else "")
        )
        self.name = name
        self.log = log


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process of the stack: what to run, and how to know that it is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    stop_within: timedelta = timedelta(seconds=10)
    heir: str | None = None
    """The variable that tells a process the id of the dead one in whose place it is started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a part that dies is started again: later each time, until it was well for a while.

    The longest pause and a start are less than the 30 s in which a run goes on after any death.
    """

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=15)
    good_while: timedelta = timedelta(seconds=15)
    tries: int = 4  # starts without ever being ready, after which it is given up


@dataclass(slots=True, eq=False)
class _Kept:
    """A part and where it stands. ``over`` is set when it is not to be started again."""

    part: Part
    up: asyncio.Future[None]
    process: Process | None = None
    died: int | None = None
    failures: int = 0
    reason: str = "not ready in time"
    over: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None

    @property
    def was_ready(self) -> bool:
        return self.up.done() and self.up.exception() is None


class Supervisor:
    """Starts parts, starts them again when they die, and stops them.

    ``tell`` gets one sentence whenever a part dies; ``spawned`` is called when ``pids`` are new.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        *,
        spawned: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> None:
        self._tell = tell
        self._spawned = spawned
        self._pace = pace or Pace()
        self._kept: dict[str, _Kept] = {}

    @property
    def pids(self) -> Mapping[str, int]:
        running = ((name, kept.process) for name, kept in self._kept.items())
        return {name: process.pid for name, process in running if process is not None}

    def start(self, part: Part) -> None:
        kept = _Kept(part, _future())
        kept.keeper = asyncio.create_task(self._keep(kept), name=f"keep {part.name}")
        self._kept[part.name] = kept

    async def ready(self, name: str) -> None:
        """Return when the part was ready once; raises ``PartFailed`` when it cannot be started."""
        await asyncio.shield(self._kept[name].up)

    async def failed(self) -> None:
        """Wait until a part is given up, and raise its ``PartFailed``."""
        await _first_error([kept.up for kept in self._kept.values()])

    async def stop(self, *names: str) -> None:
        """Ask these parts to stop, all at once, and kill what does not in time."""
        stopping = (self._stop(self._kept[name]) for name in names if name in self._kept)
        await asyncio.gather(*stopping)

    def kill(self) -> None:
        """End everything now."""
        for kept in self._kept.values():
            kept.over.set()
            _signal(kept, signal.SIGKILL)

    async def _keep(self, kept: _Kept) -> None:
        while not kept.over.is_set():
            began = time.monotonic()
            await self._live(kept)
            if kept.over.is_set():
                return
            if time.monotonic() - began >= self._pace.good_while.total_seconds():
                kept.failures = 0
            kept.failures += 1
            if kept.failures >= self._pace.tries and not kept.was_ready:
                kept.up.set_exception(PartFailed(kept.part.name, kept.reason, kept.part.log))
                return
            await self._pause(kept)

    async def _live(self, kept: _Kept) -> None:
        """One life of the process, from its start to its end."""
        part = kept.part
        with open_log(part.log) as log:
            kept.process = await asyncio.create_subprocess_exec(
                *(*LEASH, str(os.getpid()), *part.command),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(kept),
                start_new_session=True,
            )
        self._spawned()
        if kept.over.is_set():
            _signal(kept, signal.SIGKILL)  # told to stop while it was being started
        looking = asyncio.create_task(_look(kept))
        trimming = asyncio.create_task(_trim(part.log))
        try:
            code = await kept.process.wait()
        finally:
            looking.cancel()
            trimming.cancel()
        kept.reason = _reason(code)
        _signal(kept, signal.SIGKILL)  # its own children, if it left any
        kept.died = kept.process.pid
        kept.process = None

    async def _pause(self, kept: _Kept) -> None:
        wait = min(self._pace.first * 2 ** (kept.failures - 1), self._pace.longest)
        self._tell(
            f"The {kept.part.name} stopped ({kept.reason}). It starts again in"
            f" {wait.total_seconds():g} s. Its log: {kept.part.log}"
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(kept.over.wait(), wait.total_seconds())

    async def _stop(self, kept: _Kept) -> None:
        kept.over.set()
        if kept.keeper is None:
            return
        _signal(kept, signal.SIGTERM)
        _, alive = await asyncio.wait({kept.keeper}, timeout=kept.part.stop_within.total_seconds())
        if alive:
            self._tell(f"The {kept.part.name} did not stop in time and was killed.")
            _signal(kept, signal.SIGKILL)
        await kept.keeper
        kept.up.cancel()


def _environment(kept: _Kept) -> dict[str, str]:
    given = dict(kept.part.environment)
    if kept.part.heir is not None and kept.died is not None:
        given[kept.part.heir] = str(kept.died)
    return given


async def _look(kept: _Kept) -> None:
    while not kept.up.done():
        if await kept.part.ready() and not kept.up.done():
            kept.up.set_result(None)
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _trim(log: Path) -> None:
    while True:
        await asyncio.sleep(TRIM_EVERY_SECONDS)
        await asyncio.to_thread(trim, log)


def _signal(kept: _Kept, number: signal.Signals) -> None:
    """To the part's whole session when it is to die, to its leader when it is asked to stop."""
    if kept.process is None:
        return
    send = os.killpg if number == signal.SIGKILL else os.kill
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(kept.process.pid, number)


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _future() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda it: it.cancelled() or it.exception())  # nobody has to wait
    return future


async def _first_error(futures: list[asyncio.Future[None]]) -> None:
    waiting = set(futures)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            if not future.cancelled():
                future.result()
    await asyncio.Event().wait()
