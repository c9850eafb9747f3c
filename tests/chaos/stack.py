"""A whole Headwater to be mistreated: workers, api, Redis and SQL, each where it can be reached."""

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from redis.asyncio import Redis
from sqlalchemy import make_url

from api.parts import free_port
from storage import embedded
from storage.crashpoints import VARIABLE
from storage.database import Database, open_database
from storage.embedded import EmbeddedRedis
from storage.streams.connect import open_redis
from tests.chaos import disk
from tests.chaos.processes import WORK_LOG, Nursery, Process
from tests.chaos.proxy import Proxy, proxying
from tests.waiting import wait_until

LEASE_SECONDS = 2.0
KILLED = frozenset({-signal.SIGKILL, 128 + signal.SIGTERM})
"""How a process ends that could not hand its runs over: the second SIGTERM is as good as a kill."""

QUICK = {
    "HEADWATER_WORKER_LEASE_SECONDS": str(LEASE_SECONDS),
    "HEADWATER_WORKER_RENEW_SECONDS": "0.4",
    "HEADWATER_WORKER_POLL_SECONDS": "0.2",
    "HEADWATER_WORKER_DRAIN_SECONDS": "5",
    "HEADWATER_WORKER_BATCH": "8",
}
"""Everything that waits waits less than in production, so that hundreds of cases are affordable."""

LOCK_SECONDS = 10.0
"""Within these, everybody who works lets go of SQLite's write lock."""


@dataclass(frozen=True, slots=True)
class Death:
    """A worker was killed or frozen, at a moment of the wall clock."""

    worker: str
    at: float


@dataclass(slots=True, kw_only=True)
class Stack:
    place: Path
    nursery: Nursery
    database: Database
    database_url: str
    database_proxy: Proxy | None
    server: EmbeddedRedis
    redis: Redis
    redis_proxy: Proxy
    http: httpx.AsyncClient
    port: int = field(default_factory=free_port)
    workers: dict[str, Process] = field(default_factory=dict[str, Process])
    ended: dict[str, Process] = field(default_factory=dict[str, Process])
    api: Process | None = None
    deaths: list[Death] = field(default_factory=list[Death])
    injected: int = 0
    supervised: bool = True
    crash: str = ""
    """What the next worker that starts is armed with; none after it."""

    more: dict[str, str] = field(default_factory=dict[str, str])
    _incarnation: int = 0
    _api_wanted: bool = False
    _lock: sqlite3.Connection | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def work_log(self) -> Path:
        return self.place / "work.log"

    @property
    def logs(self) -> Path:
        return self.place / "logs"

    async def start_api(self) -> None:
        self._api_wanted = True
        self.api = self.nursery.start(
            "api",
            "api",
            self._environment() | {"HEADWATER_PORT": str(self.port)},
            self.logs / "api.log",
        )

    async def api_answers(self) -> bool:
        try:
            return (await self.http.get(f"{self.url}/livez")).is_success
        except httpx.TransportError:
            return False

    def kill_api(self) -> None:
        if self.api is not None:
            self.api.signal(signal.SIGKILL)

    def start_worker(self, name: str) -> None:
        """The first one is armed with the case's crash point, the ones after it are sound."""
        self._incarnation += 1
        environment = self._environment() | {
            "HEADWATER_WORKER_NAME": f"{name}.{self._incarnation}",
            VARIABLE: self.crash,
        }
        self.crash = ""
        log = self.logs / f"worker-{name}.{self._incarnation}.log"
        self.workers[name] = self.nursery.start("worker", name, environment, log)

    def worker(self, name: str, number: signal.Signals) -> None:
        process = self.workers[name]
        if number in {signal.SIGKILL, signal.SIGSTOP} and not process.ended():
            self.deaths.append(Death(name, time.time()))
        process.signal(number)

    def supervise(self) -> None:
        """What ``headwater up`` does: start again what has ended. Called all the time."""
        for name, process in list(self.workers.items()):
            frozen = process.is_stopped() and not process.stopped
            if frozen:  # a crash point stopped it
                process.stopped = True
                self.deaths.append(Death(name, time.time()))
            if not process.ended():
                continue
            if process.code in KILLED and process.died_at is not None:
                self._note_death(name, process.died_at)
            self.ended[name] = self.workers.pop(name)
            if self.supervised:
                self.start_worker(name)

    async def mind_api(self) -> None:
        if self.supervised and self._api_wanted and self.api is not None and self.api.ended():
            await self.start_api()

    async def kill_redis(self) -> None:
        if self.server.process is not None:
            os.kill(self.server.process.pid, signal.SIGKILL)
            self.server.process.wait()
            self.server.process = None

    async def start_redis(self) -> None:
        if self.server.process is None:
            await self.server.start()

    async def wipe_redis(self) -> None:
        """Dead, and all that it kept is gone: a Redis without persistence."""
        await self.kill_redis()
        shutil.rmtree(self.place / "redis" / "appendonlydir", ignore_errors=True)
        await self.start_redis()

    def freeze_redis(self, number: signal.Signals) -> None:
        if self.server.process is not None:
            os.kill(self.server.process.pid, number)

    async def lock_database(self) -> None:
        """Somebody has SQLite's only write lock, and keeps it: we, or a worker that is frozen."""
        if self._lock is None:
            self._lock = await asyncio.to_thread(_locked, make_url(self.database_url).database)

    def unlock_database(self) -> None:
        if self._lock is not None:
            self._lock.execute("ROLLBACK")
            self._lock.close()
            self._lock = None

    async def heal(self) -> None:
        """Whatever was done to what the processes depend on is over."""
        self.redis_proxy.heal()
        disk.make_room(self.place / "disk")
        if self.database_proxy is not None:
            self.database_proxy.heal()
        self.unlock_database()
        self.freeze_redis(signal.SIGCONT)
        await self.start_redis()

    async def close(self) -> None:
        await self.heal()
        for process in (*self.workers.values(), *([self.api] if self.api else [])):
            process.signal(signal.SIGKILL)
        for process in (*self.workers.values(), *([self.api] if self.api else [])):
            await wait_until(process.ended)

    def _note_death(self, name: str, at: float) -> None:
        known = any(each.worker == name and at - each.at < LEASE_SECONDS for each in self.deaths)
        if not known:
            self.deaths.append(Death(name, at))

    def _environment(self) -> dict[str, str]:
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("HEADWATER_", "PREFECT_"))
        }
        redis = f"redis://:{self.password}@127.0.0.1:{self.redis_proxy.port}/0"
        return {
            **clean,
            **QUICK,
            "HEADWATER_DATA_DIR": str(self.place),
            "HEADWATER_REDIS_URL": redis,
            "HEADWATER_DATABASE_URL": self._database_url_for_processes,
            "PREFECT_HOME": str(self.place / "prefect"),
            WORK_LOG: str(self.work_log),
            **self.more,
        }

    @property
    def password(self) -> str:
        return httpx.URL(self.server.url).password

    @property
    def _database_url_for_processes(self) -> str:
        if self.database_proxy is None:
            return self.database_url
        through = make_url(self.database_url).set(
            host="127.0.0.1", port=self.database_proxy.port, query={}
        )
        return through.render_as_string(hide_password=False)


def _locked(database: str | None) -> sqlite3.Connection | None:
    """A connection that holds the write lock; None if somebody holds it and does not let go."""
    connection = sqlite3.connect(str(database), timeout=LOCK_SECONDS, check_same_thread=False)
    connection.isolation_level = None
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        connection.close()
        return None
    return connection


@asynccontextmanager
async def open_stack(place: Path, nursery: Nursery, database_url: str) -> AsyncGenerator[Stack]:
    """The parts that processes depend on; the processes are for the case to start."""
    url = make_url(database_url)
    async with AsyncExitStack() as parts:
        server = embedded.prepare(place)
        await server.start()
        parts.push_async_callback(server.stop)
        redis_at = httpx.URL(server.url)
        redis_proxy = await parts.enter_async_context(
            proxying(("127.0.0.1", redis_at.port or 6379))
        )
        database_proxy = None
        if url.get_backend_name() == "postgresql":
            upstream = f"{url.query['host']}/.s.PGSQL.5432"
            database_proxy = await parts.enter_async_context(proxying(upstream))
        stack = Stack(
            place=place,
            nursery=nursery,
            database=await parts.enter_async_context(open_database(database_url)),
            database_url=database_url,
            database_proxy=database_proxy,
            server=server,
            redis=await parts.enter_async_context(open_redis(server.url)),
            redis_proxy=redis_proxy,
            http=await parts.enter_async_context(
                httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(10, connect=2))
            ),
        )
        yield stack
