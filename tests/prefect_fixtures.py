"""A real Prefect server for tests: one a session, a child process with a home of its own.

``tests/integration/conftest`` imports ``prefect_url`` for those that need it.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.waiting import wait_until

START_SECONDS = 120.0


@contextmanager
def prefect_server(home: Path, *, port: int) -> Generator[str]:
    """The URL of its api, which takes some seconds to answer."""
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            env=quiet(os.environ, home),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait(timeout=30)


def quiet(given: Mapping[str, str], home: Path) -> dict[str, str]:
    return {
        **given,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "DO_NOT_TRACK": "1",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _healthy(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:

        async def answers() -> bool:
            try:
                return (await http.get(f"{url}/health")).is_success
            except httpx.TransportError:
                return False

        await wait_until(answers, within_seconds=START_SECONDS)


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with prefect_server(tmp_path_factory.mktemp("prefect"), port=free_port()) as url:
        asyncio.run(_healthy(url))
        yield url
