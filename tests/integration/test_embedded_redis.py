"""The Redis that comes along: found, private, shared, durable, and gone with who started it."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from storage import embedded
from storage.embedded import EmbeddedRedis
from storage.errors import SetupError
from storage.servers import find_server
from storage.streams.connect import open_redis
from tests.processes import alive
from tests.waiting import wait_until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[EmbeddedRedis]:
    server = await embedded.ensure(tmp_path / 'a "strange" \\ place')
    yield server
    await server.stop()


@pytest.fixture
def home(server: EmbeddedRedis) -> Path:
    return Path(server.command[1]).parent


async def test_it_answers_to_its_password_only(server: EmbeddedRedis) -> None:
    assert await server.answers()
    assert not await EmbeddedRedis(
        url=server.url.replace("redis://:", "redis://:x"),
        version=server.version,
        command=server.command,
        log=server.log,
    ).answers()


async def test_it_serves_this_machine_only(server: EmbeddedRedis) -> None:
    async with open_redis(server.url) as redis:
        assert (await redis.config_get("bind"))["bind"] == "127.0.0.1"


def test_nobody_else_can_read_its_files(home: Path) -> None:
    assert home.stat().st_mode & 0o777 == 0o700
    for name in ("redis.conf", "redis.json"):
        assert (home / name).stat().st_mode & 0o777 == 0o600


async def test_it_never_evicts_and_keeps_every_write(server: EmbeddedRedis) -> None:
    async with open_redis(server.url) as redis:
        settings = await redis.config_get("maxmemory-policy", "appendonly", "save")

    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}


async def test_what_was_written_survives_a_kill(server: EmbeddedRedis) -> None:
    async with open_redis(server.url) as redis:
        await redis.set("key", "value")
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)

        await server.restart()

        assert await redis.get("key") == "value"


async def test_it_comes_back_at_the_same_address(server: EmbeddedRedis, home: Path) -> None:
    await server.stop()

    again = await embedded.ensure(home.parent)

    assert again.url == server.url
    await again.stop()


async def test_a_second_one_joins_the_first(server: EmbeddedRedis, home: Path) -> None:
    joined = await embedded.ensure(home.parent)
    await joined.stop()

    assert joined.process is None
    assert joined.url == server.url
    assert await server.answers()


async def test_many_at_once_start_one(tmp_path: Path) -> None:
    servers = await asyncio.gather(*(embedded.ensure(tmp_path) for _ in range(5)))

    assert len({each.url for each in servers}) == 1
    assert [each.process is not None for each in servers].count(True) == 1
    for each in servers:
        await each.stop()


async def test_a_port_that_somebody_took_meanwhile_is_given_up(
    server: EmbeddedRedis, home: Path
) -> None:
    await server.stop()
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)

    again = await embedded.ensure(home.parent)

    assert again.url != server.url
    assert await again.answers()
    await again.stop()
    taken.close()


async def test_one_that_was_left_behind_is_ended_before_the_next(
    server: EmbeddedRedis, home: Path
) -> None:
    assert server.process is not None

    prepared = embedded.prepare(home.parent)

    assert server.process.wait(10) == 0
    assert prepared.url == server.url
    assert not await prepared.answers()


async def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys; from storage import embedded; "
        "server = asyncio.run(embedded.ensure(pathlib.Path(sys.argv[1]))); "
        "print(server.process.pid, flush=True); input()"
    )
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    was_alive = alive(pid)

    owner.kill()
    await owner.communicate()

    await wait_until(lambda: not alive(pid))
    assert was_alive


async def test_data_it_cannot_read_is_said_with_what_to_do(
    server: EmbeddedRedis, home: Path
) -> None:
    await server.stop()
    for file in (home / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*9\r\n$999999\r\nnonsense\r\n" * 9)

    with pytest.raises(SetupError) as refused:
        await server.start()

    assert "appendonlydir" in refused.value.action
    assert str(server.log) in refused.value.action
    assert server.process is None


def test_the_server_on_the_path_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_server()
    script(tmp_path / "redis-server", f'exec {shlex.quote(str(real.program))} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert find_server().program == tmp_path / "redis-server"


@pytest.mark.parametrize("answer", ["echo Redis server v=5.0.14 sha=0", "exit 127", "echo hello"])
def test_a_server_that_is_too_old_or_broken_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    script(tmp_path / "redis-server", answer)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert find_server().program != tmp_path / "redis-server"


def test_no_server_at_all_is_said_with_what_to_do(tmp_path: Path) -> None:
    script(tmp_path / "redis-server", "echo Redis server v=5.0.14 sha=0")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from storage.servers import find_server\n"
        "try: find_server()\n"
        "except Exception as error: print(type(error).__name__, error, error.action)"
    )

    answer = subprocess.run(
        [sys.executable, "-S", "-c", program, Path(embedded.__file__).parents[1]],  # no wheels
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.startswith("ServerMissing No Redis or Valkey server, 6.2 or newer")
    assert "redis-server (5.0.14)" in answer.stdout
    assert "HEADWATER_REDIS_URL" in answer.stdout


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
