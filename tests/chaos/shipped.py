"""The whole product as a user has it: ``headwater up``, with a Prefect server, and nothing hurried.

Prefect takes long to start, so all cases that are about it share one stack, one after the other.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from storage import datadir
from storage.database import open_database
from storage.embedded import EmbeddedRedis
from storage.streams.connect import open_redis
from tests.chaos.processes import Nursery, Process
from tests.chaos.proxy import Proxy
from tests.chaos.stack import Death, Stack
from tests.processes import alive
from tests.waiting import wait_until

READY_SECONDS = 120.0
WORKBENCH = b"pipelines.workbench"


@dataclass(slots=True)
class Part(Process):
    """A process that ``headwater up`` minds: whatever its pid is now."""

    find: Callable[[], int | None] = field(default=lambda: None)

    def ended(self) -> bool:
        return False  # somebody else starts it again

    def signal(self, number: signal.Signals) -> None:
        pid = self.find()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@dataclass(slots=True, kw_only=True)
class Shipped(Stack):
    """Worker ``a`` is the stack's own; ``b`` is a second one, beside it."""

    beside: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        instance = datadir.running(self.place)
        return (instance.api_url if instance else None) or "http://127.0.0.1:1"

    @property
    def pids(self) -> Mapping[str, int]:
        instance = datadir.running(self.place)
        return instance.pids if instance else {}

    def start_worker(self, name: str) -> None:
        if name == "b" and self.beside is None:
            self.beside = _another_worker(self.pids["worker"], self.logs / "worker-b.log")
        self.workers[name] = self.part(name, lambda: self._pid(name))

    def worker(self, name: str, number: signal.Signals) -> None:
        if number in {signal.SIGKILL, signal.SIGSTOP} and name in {"a", "b"}:
            self.deaths.append(Death(name, time.time()))
        self.workers[name].signal(number)

    def supervise(self) -> None:
        """``headwater up`` does."""

    async def start_api(self) -> None:
        self.api = self.part("api", lambda: self.pids.get("api"))
        self.workers["prefect"] = self.part("prefect", lambda: self.pids.get("prefect"))
        self.workers["workshop"] = self.part("workshop", self._workshop)

    async def mind_api(self) -> None:
        """``headwater up`` does."""

    async def kill_redis(self) -> None:
        os.kill(self.pids["redis"], signal.SIGKILL)

    async def start_redis(self) -> None:
        """``headwater up`` does."""

    async def heal(self) -> None:
        """``headwater up`` does."""

    async def close(self) -> None:
        if self.beside is not None:
            self.beside.kill()
            await asyncio.to_thread(self.beside.wait)
            self.beside = None

    def part(self, name: str, find: Callable[[], int | None]) -> Part:
        return Part(name, 0, self.logs / f"{name}.log", self.nursery, find=find)

    def _pid(self, name: str) -> int | None:
        if name == "b":
            return self.beside.pid if self.beside else None
        return self.pids.get("worker")

    def _workshop(self) -> int | None:
        """The process that cuts and embeds for the worker."""
        parent = str(self.pids.get("worker"))
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if fields[1] == parent and WORKBENCH in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        return None


@asynccontextmanager
async def open_shipped(place: Path, nursery: Nursery) -> AsyncGenerator[Shipped]:
    """A stack that is up, with a worker that is ready."""
    home = place / "up"
    process = _up(home, place / "up.log", nursery.packages)
    try:
        await wait_until(lambda: _is_ready(home), within_seconds=READY_SECONDS)
        async with AsyncExitStack() as parts:
            server = _server(home)
            database_url = f"sqlite+aiosqlite:///{home / 'headwater.db'}"
            yield Shipped(
                place=home,
                nursery=nursery,
                database=await parts.enter_async_context(open_database(database_url)),
                database_url=database_url,
                database_proxy=None,
                server=server,
                redis=await parts.enter_async_context(open_redis(server.url)),
                redis_proxy=Proxy(("127.0.0.1", 1)),
                http=await parts.enter_async_context(
                    httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(30, connect=2))
                ),
            )
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 60)
        if alive(process.pid):
            process.kill()


def fresh(stack: Shipped) -> Shipped:
    """The same stack for another case."""
    return replace(stack, deaths=[], workers={}, crash="")


def _up(home: Path, log: Path, packages: Path) -> "subprocess.Popen[bytes]":
    theirs = ("HEADWATER_", "PREFECT_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    root = str(Path(__file__).parents[2])
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", "up", "--port", "0"],
            env={
                **clean,
                "HEADWATER_DATA_DIR": str(home),
                "PYTHONPATH": os.pathsep.join((str(packages), root)),
            },
            stdout=output,
            stderr=output,
            cwd=root,
        )


def _another_worker(like: int, log: Path) -> "subprocess.Popen[bytes]":
    """One with the same environment, so that it has the same Prefect, Redis and database."""
    said = Path(f"/proc/{like}/environ").read_bytes().split(b"\0")
    environment = dict(os.fsdecode(each).split("=", 1) for each in said if b"=" in each)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.worker"],
            env=environment,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[2],
        )


def _is_ready(home: Path) -> bool:
    log = home / "logs" / "worker.log"
    return log.exists() and "worker.ready" in log.read_text(errors="replace")


def _server(home: Path) -> EmbeddedRedis:
    """The one that runs there; only its address matters."""
    settings = (home / "redis" / "redis.conf").read_text()
    told = dict(line.split(" ", 1) for line in settings.splitlines() if " " in line)
    url = f"redis://:{told['requirepass']}@127.0.0.1:{told['port']}/0"
    return EmbeddedRedis(url=url, version="", command=(), log=home / "logs" / "redis.log")
