"""What the stream benchmarks share: a Redis and an api of their own, and a run to watch."""

import asyncio
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from storage import connections, embedded, runs, tenants
from storage.counts import Counts
from storage.database import Database, open_database
from storage.events import Event, EventKind
from storage.ids import LOCAL_TENANT, Attempt, RunId, Seq
from storage.relay import Relay
from storage.schema import upgrade
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog

TICK_HZ = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Bench:
    database: Database
    redis: Redis
    log: RedisEventLog
    environment: Mapping[str, str]

    async def new_run(self, name: str) -> RunId:
        async with self.database.transaction() as tx:
            await tenants.ensure_local(tx)
            source, _ = await connections.connect(
                tx, LOCAL_TENANT, owner="bench", kind="local", title=name, config={"path": name}
            )
            run, _ = await runs.request(
                tx, LOCAL_TENANT, connection=source, workflow="ingest", input={}
            )
        await Relay(self.database, self.log).publish(run.id)
        return run.id

    async def tick(self, run: RunId, number: int) -> Seq:
        return await self.log.append(run, tick(number))


def tick(number: int) -> Event:
    """Progress as a worker tells it, about half a kilobyte; and when, by the machine's clock."""
    patch: dict[str, Any] = {
        "stages": [
            {"key": "find", "title": "Finding", "status": "done", "done": 9, "total": 9},
            {"key": "read", "title": "Reading", "status": "active", "done": number, "total": None},
        ],
        "counts": Counts(found=number, processed=number, chunks=3 * number).to_json(),
        "rate": 61.5,
        "activity": f"Reading source/part/module_{number}.py",
        "searchable": number,
        "sent_ns": time.monotonic_ns(),
    }
    return Event(kind=EventKind.PROGRESS, at=datetime.now(UTC), attempt=Attempt(0), patch=patch)


@asynccontextmanager
async def bench() -> AsyncGenerator[Bench]:
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        folder = Path(name)
        url = f"sqlite+aiosqlite:///{folder}/headwater.db"
        await upgrade(url)
        server = await embedded.ensure(folder)
        try:
            async with open_database(url) as database, open_redis(server.url) as redis:
                environment = {
                    **os.environ,
                    "HEADWATER_DATA_DIR": name,
                    "HEADWATER_REDIS_URL": server.url,
                }
                yield Bench(database, redis, RedisEventLog(redis), environment)
        finally:
            await server.stop()


@asynccontextmanager
async def process(
    command: Sequence[str], environment: Mapping[str, str]
) -> AsyncGenerator[tuple[int, int]]:
    """A server in its own process; gives its port and its pid."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={**environment, "HEADWATER_PORT": str(port)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _answers(port)
        yield port, child.pid
    finally:
        child.terminate()
        await child.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def most_files() -> int:
    """How many files this process may have open now: as many as it is allowed, for its children."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def resident_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK_HZ
