"""The command line as a user has it: a process with a terminal or a pipe at its ends."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from storage import datadir
from tests.processes import alive
from tests.waiting import wait_until

COMMAND = (sys.executable, "-P", "-m", "api.cli")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A user's machine: a home of their own, and a data directory in it."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    def environment(self, **more: str) -> Mapping[str, str]:
        """Ours, without what is set up on the machine that the tests run on."""
        theirs = ("HEADWATER_", "PREFECT_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        return {**clean, "HOME": str(self.home), "HEADWATER_DATA_DIR": str(self.data), **more}

    async def start(self, *arguments: str | Path, **environment: str) -> Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *map(str, arguments),
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.home,
            env=self.environment(**environment),
        )

    async def run(self, *arguments: str | Path, **environment: str) -> Ended:
        return await ended(await self.start(*arguments, **environment))

    @asynccontextmanager
    async def up(self, *options: str, **environment: str) -> AsyncGenerator[Process]:
        """``headwater up`` that answers; afterwards it is stopped with Ctrl-C if it still runs."""
        process = await self.start("up", "--port", "0", *options, **environment)
        try:
            await wait_until(
                lambda: self.url() is not None or process.returncode is not None, within_seconds=60
            )
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                await ended(process)

    def url(self) -> str | None:
        instance = datadir.running(self.data)
        return instance.api_url if instance else None

    def pids(self) -> list[int]:
        instance = datadir.running(self.data)
        return list(instance.pids.values()) if instance else []


async def ended(process: Process) -> Ended:
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


def survivors(pids: list[int]) -> list[int]:
    return [pid for pid in pids if alive(pid)]
