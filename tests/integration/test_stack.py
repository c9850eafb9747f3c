"""The embedded stack: real processes on a data directory, without what takes long to start."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from api.attaching import StackSettings, running
from api.parts import free_port, require_free
from api.stack import Stack
from storage import datadir
from storage.errors import DatabaseUnavailable, SetupError
from tests.processes import alive
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(data_dir=tmp_path / "data")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def stack(settings: StackSettings, said: list[str]) -> AsyncIterator[Stack]:
    with datadir.hold(settings.home, "0.1.0") as directory:
        async with Stack(settings, directory, environment=os.environ, tell=said.append) as it:
            yield it


async def answers(stack: Stack) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            ready = await http.get(f"{stack.url}/readyz")
        except httpx.TransportError:
            return False
    return ready.is_success and ready.json()["state"] == "ready"


async def test_what_dies_comes_back_at_the_same_address(stack: Stack, said: list[str]) -> None:
    await stack.start_reading()
    assert await answers(stack)

    for name in ("redis", "api"):
        os.kill(stack.pids[name], signal.SIGKILL)
        await wait_until(lambda: any("stopped (killed by SIGKILL)" in each for each in said))
        said.clear()

    await wait_until(lambda: answers(stack), within_seconds=60)


async def test_closing_leaves_no_process(stack: Stack) -> None:
    await stack.start_reading()
    pids = list(stack.pids.values())
    assert len(pids) == 2

    await stack.close()

    assert [pid for pid in pids if alive(pid)] == []


async def test_a_database_that_is_away_ends_what_was_started(tmp_path: Path) -> None:
    away = StackSettings(
        data_dir=tmp_path / "data",
        database_url=SecretStr("postgresql://headwater@127.0.0.1:1/headwater"),
    )

    with datadir.hold(away.home, "0.1.0") as directory:
        async with Stack(away, directory, environment=os.environ, tell=print) as stack:
            with pytest.raises(DatabaseUnavailable):
                await stack.start_reading()
            pids = list(stack.pids.values())

    assert [pid for pid in pids if alive(pid)] == []


async def test_a_stack_that_is_gone_is_not_attached_to(
    settings: StackSettings,
) -> None:
    with datadir.hold(settings.home, "0.1.0"):
        pass

    assert await running(settings) is None


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    port = free_port()
    require_free("127.0.0.1", port)
    taken = socket.create_server(("127.0.0.1", port))

    with taken, pytest.raises(SetupError, match=f"Port {port} on 127.0.0.1") as refusal:
        require_free("127.0.0.1", port)

    assert "--port" in refusal.value.action
