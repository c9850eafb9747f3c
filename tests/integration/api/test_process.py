"""``python -m api`` as the supervisor runs it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/readyz"

    async def serves() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(url)
        except httpx.TransportError:
            return False
        return bool(answer.json()["state"] == "ready")

    async with api(environment(tmp_path, redis_url, HEADWATER_PORT=str(port))) as process:
        await wait_until(serves, within_seconds=30)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
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


async def test_an_address_others_could_reach_is_refused(tmp_path: Path, redis_url: str) -> None:
    async with api(environment(tmp_path, redis_url, HEADWATER_HOST="0.0.0.0")) as process:  # noqa: S104  # refused
        _, said = await process.communicate()

    assert process.returncode == 2
    assert "which other machines could reach" in said.decode()
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
