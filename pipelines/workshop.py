"""A few processes for work that would hold up the event loop: cutting, counting, embedding.

Items that wait at the same moment travel as a group, and each is answered by itself. A process
that dies takes nothing with it but the item it was at: that one is tried once more, alone, and is
poison if it kills again. The others of its group go on in a new process.
"""

import asyncio
import contextlib
import os
import pickle
import socket
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from pipelines.errors import PoisonItem, WorkshopClosed
from pipelines.workbench import HEADER

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger()

_DEATHS = 2  # once may be chance (memory was short, an operator killed it), twice is the item
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    processes: int = 1
    group_items: int = 32
    group_bytes: int = 4_000_000
    item_seconds: float = 120.0


@dataclass(slots=True, eq=False)
class _Job:
    name: str
    frame: bytes
    answer: "asyncio.Future[Any]"
    deaths: int = 0


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class _ChildDied(Exception):
    """The process is gone, or did not answer for too long (``hung``)."""

    def __init__(self, *, hung: bool) -> None:
        super().__init__("a process of the workshop is lost")
        self.hung = hung


@dataclass(slots=True)
class Workshop:
    """Made by ``open_workshop``."""

    limits: Limits
    _waiting: deque[_Job] = field(default_factory=deque[_Job])
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    async def run(self, function: Callable[[T], R], item: T) -> R:
        """The function's result on the item, or its error. Both must be picklable.

        Raises ``PoisonItem`` if the process does not survive the item.
        """
        if self._closed:
            raise WorkshopClosed
        frame = pickle.dumps((function, item), pickle.HIGHEST_PROTOCOL)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(function.__name__, frame, answer))
        self._bell.set()
        return await answer

    async def serve(self) -> None:
        """Work with one process, until cancelled."""
        bench = _Bench()
        try:
            while True:
                await self._finish(await self._next_group(), bench)
        finally:
            await bench.end()

    def close(self) -> None:
        self._closed = True
        while self._waiting:
            _refuse(self._waiting.popleft(), WorkshopClosed())

    async def _next_group(self) -> deque[_Job]:
        while not self._waiting:
            self._bell.clear()
            await self._bell.wait()
        group: deque[_Job] = deque()
        fair = -(-len(self._waiting) // self.limits.processes)
        items, room = min(fair, self.limits.group_items), self.limits.group_bytes
        while self._waiting and len(group) < items:
            job = self._waiting[0]
            if group and (job.deaths or len(job.frame) > room):
                break
            group.append(self._waiting.popleft())
            room = 0 if job.deaths else room - len(job.frame)
        return group

    async def _finish(self, group: deque[_Job], bench: "_Bench") -> None:
        while group:
            try:
                await self._work_off(await bench.child(), group)
            except _ChildDied as death:
                await bench.end()
                self._blame(group.popleft(), hung=death.hung)

    async def _work_off(self, child: _Child, group: deque[_Job]) -> None:
        """Empty the group from its front. If the child dies, the one it was at is the first."""
        waited_for = [job for job in group if not job.answer.done()]
        group.clear()
        group.extend(waited_for)
        try:
            for job in group:
                child.writer.write(HEADER.pack(len(job.frame)) + job.frame)
            while group:
                async with asyncio.timeout(self.limits.item_seconds):
                    (length,) = HEADER.unpack(await child.reader.readexactly(HEADER.size))
                    frame = await child.reader.readexactly(length)
                _answer(group.popleft(), frame)
        except TimeoutError:
            raise _ChildDied(hung=True) from None
        except (asyncio.IncompleteReadError, OSError):
            raise _ChildDied(hung=False) from None

    def _blame(self, suspect: _Job, *, hung: bool) -> None:
        suspect.deaths += 1
        name = suspect.name
        log.warning("workshop.process_lost", function=name, deaths=suspect.deaths, hung=hung)
        if hung:
            how = f"did not end within {self.limits.item_seconds:g} s"
            _refuse(suspect, PoisonItem(name, how))
        elif suspect.deaths >= _DEATHS:
            _refuse(suspect, PoisonItem(name, "killed the process that worked on it, twice"))
        else:
            self._waiting.append(suspect)
            self._bell.set()


@asynccontextmanager
async def open_workshop(limits: Limits | None = None) -> AsyncGenerator[Workshop]:
    """A workshop whose processes start when they are needed and end on leaving."""
    workshop = Workshop(limits or Limits())
    servers = [
        asyncio.create_task(workshop.serve(), name=f"workshop-{number}")
        for number in range(workshop.limits.processes)
    ]
    try:
        yield workshop
    finally:
        workshop.close()
        for server in servers:
            server.cancel()
        await asyncio.gather(*servers, return_exceptions=True)


@dataclass(slots=True)
class _Bench:
    """The place of one process: there is none at first, and a new one after one was lost."""

    _child: _Child | None = None

    async def child(self) -> _Child:
        while self._child is None:
            try:
                self._child = await _start()
            except OSError as error:  # short of memory, processes or files: it may pass
                log.warning("workshop.cannot_start", reason=str(error))
                await asyncio.sleep(1)
        return self._child

    async def end(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        child.writer.close()
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()  # it holds nothing that is worth a farewell
        await asyncio.shield(child.process.wait())
        with contextlib.suppress(OSError):
            await child.writer.wait_closed()


async def _start() -> _Child:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                "pipelines.workbench",
                str(theirs.fileno()),
                str(os.getpid()),
            ),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=2,  # what a library prints is no answer of ours
            env={**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    return _Child(process, reader, writer)


def _answer(job: _Job, frame: bytes) -> None:
    if job.answer.done():  # whoever asked does not wait any more
        return
    try:
        worked, value = pickle.loads(frame)  # noqa: S301  # our own child wrote it
    except Exception as error:  # noqa: BLE001  # unpickling may raise anything: the item's outcome
        worked, value = False, error
    if worked:
        job.answer.set_result(value)
    else:
        job.answer.set_exception(value)


def _refuse(job: _Job, error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
