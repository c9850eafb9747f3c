"""``python -m api`` as the supervisor runs it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx

from api.server import STOP_SECONDS
from storage.database import open_database
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog
from tests.integration.api.following import following, take
from tests.serving import Story
from tests.waiting import wait_until


def environment(folder: Path, redis_url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    return {
        **kept,
        "HEADWATER_DATA_DIR": str(folder),
        "HEADWATER_DATABASE_URL": f"sqlite:///{folder}/headwater.db",
        "HEADWATER_REDIS_URL": redis_url,
        **more,
    }


@asynccontextmanager
async def api(given: dict[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api"), env=given, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_serves_and_stops_when_told(
    database_url: str, tmp_path: Path, redis_url: str
) -> None:
    given = environment(tmp_path, redis_url, HEADWATER_PORT=str(_free_port()))
    url = f"http://127.0.0.1:{given['HEADWATER_PORT']}"
    async with (
        api(given) as process,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        await wait_until(lambda: _is_ready(client), within_seconds=30)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            code = await process.wait()

    assert code == 0


async def test_a_port_in_use_is_one_clear_sentence(tmp_path: Path, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with api(environment(tmp_path, redis_url, HEADWATER_PORT=port)) as process:
            _, said = await process.communicate()

    assert process.returncode == 2
    assert f"cannot listen at 127.0.0.1 port {port}: address already in use.\n" in said.decode()
    assert "HEADWATER_PORT" in said.decode()
    assert "Traceback" not in said.decode()


async def test_an_address_others_could_reach_is_refused_without_a_key(
    database_url: str, tmp_path: Path, redis_url: str
) -> None:
    async with api(environment(tmp_path, redis_url, HEADWATER_HOST="0.0.0.0")) as process:  # noqa: S104  # refused
        _, said = await process.communicate()

    assert process.returncode == 2
    assert "there is no key yet" in said.decode()
    assert "headwater keys create" in said.decode()
    assert "Traceback" not in said.decode()


async def test_a_data_directory_that_is_none_is_one_clear_sentence(
    tmp_path: Path, redis_url: str
) -> None:
    file = tmp_path / "a file"
    file.touch()
    async with api(environment(file, redis_url, HEADWATER_PORT="0")) as process:
        _, said = await process.communicate()

    assert process.returncode == 2
    assert "cannot be used" in said.decode()
    assert "Traceback" not in said.decode()


async def test_without_the_address_of_redis_it_says_what_to_do(tmp_path: Path) -> None:
    async with api(environment(tmp_path, "", HEADWATER_PORT="0")) as process:
        _, said = await process.communicate()

    assert process.returncode == 2
    assert "headwater up" in said.decode()
    assert "Traceback" not in said.decode()


async def test_told_to_stop_it_says_goodbye_and_its_streams_go_on_at_the_next_one(
    database_url: str, tmp_path: Path, redis_url: str
) -> None:
    given = environment(tmp_path, redis_url, HEADWATER_PORT=str(_free_port()))
    url = f"http://127.0.0.1:{given['HEADWATER_PORT']}"
    async with (
        open_database(database_url) as database,
        open_redis(redis_url) as redis,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
    ):
        story = await Story.begin(database, RedisEventLog(redis))
        await story.start()
        async with api(given) as process:
            await wait_until(lambda: _is_ready(client), within_seconds=30)
            async with following(client, story) as frames:
                [first] = await take(frames, 1)
                process.send_signal(signal.SIGTERM)
                farewell = [frame async for frame in frames]
            async with asyncio.timeout(STOP_SECONDS + 20):
                code = await process.wait()
        await story.tick(searchable=1)
        async with api(given):
            await wait_until(lambda: _is_ready(client), within_seconds=30)
            async with following(client, story, cursor=first.id) as frames:
                [missed] = await take(frames, 1)
                await story.tick(searchable=2)
                [next_one] = await take(frames, 1)

    assert code == 0
    assert [(each.event, each.data["reason"]) for each in farewell] == [("goodbye", "shutdown")]
    assert missed.data["patch"] == {"searchable": 1}
    assert next_one.data["patch"] == {"searchable": 2}


async def test_a_second_signal_ends_it_at_once(
    database_url: str, tmp_path: Path, redis_url: str
) -> None:
    """Whatever it waits for: here, for a client that does not take what it is sent."""
    given = environment(tmp_path, redis_url, HEADWATER_PORT=str(_free_port()))
    url = f"http://127.0.0.1:{given['HEADWATER_PORT']}"
    async with (
        api(given) as process,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
    ):
        await wait_until(lambda: _is_ready(client), within_seconds=30)
        _, writer = await asyncio.open_connection("127.0.0.1", int(given["HEADWATER_PORT"]))
        with closing(writer):
            writer.write(
                b"POST /v1/connections HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
            )
            await writer.drain()
            await client.get("/livez")
            process.send_signal(signal.SIGTERM)
            await wait_until(lambda: _refuses(url))
            still = process.returncode
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                code = await process.wait()

    assert still is None
    assert code == 128 + signal.SIGTERM


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        answer = await client.get("/readyz")
    except httpx.TransportError:
        return False
    return bool(answer.json()["state"] in {"ready", "degraded"})


async def _refuses(url: str) -> bool:
    """Whether it takes no new connection any more."""
    at = httpx.URL(url)
    try:
        _, writer = await asyncio.open_connection(at.host, at.port)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it waited to be taken as the listening ended
        return False
    writer.close()
    return False
