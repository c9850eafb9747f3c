"""A process for hostile bytes: it may be killed, and takes nothing with it but the item it was at.

An item has so much processor time and memory, whatever the machine is busy with. The process has
neither credentials nor files of ours, and ends with its parent.
"""

import asyncio
import contextlib
import os
import pickle
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors.inmate import HEADER, CellFailed

__all__ = ["Allowance", "Cell", "CellDied", "CellFailed", "open_cell"]

T = TypeVar("T")
R = TypeVar("R")


class CellDied(Exception):
    """The process did not survive the item: it took too long, or too much memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """For one item. ``wall_seconds`` is for a process that waits for something instead."""

    cpu_seconds: float = 2.0
    wall_seconds: float = 60.0
    memory_bytes: int = 1_000_000_000


@dataclass(slots=True)
class Cell:
    """Made by ``open_cell``. The process starts with the first item, one item at a time."""

    allowance: Allowance = field(default_factory=Allowance)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _inmate: "_Inmate | None" = None

    async def run(self, function: Callable[[T], R], item: T) -> R:
        """The function's result, or the error that it raised. Both must be picklable.

        Raises ``CellDied`` if the process does not survive it.
        """
        frame = pickle.dumps((function, item), pickle.HIGHEST_PROTOCOL)
        async with self._turn:
            self._inmate = self._inmate or await _start(self.allowance)
            try:
                worked, value = await self._ask(self._inmate, frame)
            except BaseException:
                await self.end()  # also if the caller was cancelled: the answer would be another's
                raise
        if not worked:
            raise value
        return value  # type: ignore[no-any-return]  # what the function gave to pickle

    async def end(self) -> None:
        if self._inmate is None:
            return
        inmate, self._inmate = self._inmate, None
        inmate.writer.close()
        with contextlib.suppress(ProcessLookupError):
            inmate.process.kill()
        await asyncio.shield(inmate.process.wait())

    async def _ask(self, inmate: "_Inmate", frame: bytes) -> tuple[bool, Any]:
        try:
            async with asyncio.timeout(self.allowance.wall_seconds):
                inmate.writer.write(HEADER.pack(len(frame)) + frame)
                (length,) = HEADER.unpack(await inmate.reader.readexactly(HEADER.size))
                answer = await inmate.reader.readexactly(length)
        except TimeoutError:
            raise CellDied(f"it was not done in {self.allowance.wall_seconds:g} s") from None
        except (asyncio.IncompleteReadError, OSError):
            raise CellDied("it took too much time or memory") from None
        return pickle.loads(answer)  # type: ignore[no-any-return]  # noqa: S301  # our own child wrote it


@asynccontextmanager
async def open_cell(allowance: Allowance | None = None) -> AsyncGenerator[Cell]:
    cell = Cell(allowance or Allowance())
    try:
        yield cell
    finally:
        await cell.end()


@dataclass(frozen=True, slots=True)
class _Inmate:
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _start(allowance: Allowance) -> _Inmate:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            "from connectors.inmate import main; main()",
            str(theirs.fileno()),
            str(os.getpid()),
            str(allowance.cpu_seconds),
            str(allowance.memory_bytes),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=2,  # what a library prints is no answer of ours
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"},
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    return _Inmate(process, reader, writer)
