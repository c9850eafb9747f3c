"""``headwater up``: everything runs, is kept up, and goes down in one piece."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.acceptance.headwater import Machine, ended, survivors
from tests.prefect_fixtures import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_one_interrupt_stops_everything_and_gives_the_directory_back(
    machine: Machine,
) -> None:
    async with machine.up() as process:
        await wait_until(lambda: len(machine.pids()) == 4)
        url, pids = machine.url(), machine.pids()
        process.send_signal(signal.SIGINT)
        end = await ended(process)

    assert end.code == 0
    assert end.out == ""
    assert f"Open {url}" in end.err
    assert f"another terminal find it with HEADWATER_DATA_DIR={machine.data}" in end.err
    assert end.err.endswith("Stopped.\n")
    assert survivors(pids) == []
    assert machine.url() is None


async def test_a_second_interrupt_ends_at_once(machine: Machine) -> None:
    async with machine.up() as process:
        pids = machine.pids()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        end = await ended(process)

    assert end.code == 130
    assert survivors(pids) == []


async def test_nothing_outlives_a_stack_that_is_killed(machine: Machine) -> None:
    async with machine.up() as process:
        pids = machine.pids()
        process.kill()
        await ended(process)

    await wait_until(lambda: survivors(pids) == [])
    assert machine.url() is None


async def test_what_dies_is_started_again_and_told(machine: Machine) -> None:
    async with machine.up() as process:
        url, pids = machine.url(), machine.pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        async with httpx.AsyncClient(trust_env=False) as http:

            async def ready() -> bool:
                try:
                    said = await http.get(f"{url}/readyz")
                except httpx.TransportError:
                    return False
                return said.is_success and bool(said.json()["state"] == "ready")

            await wait_until(ready, within_seconds=90)
        process.send_signal(signal.SIGINT)
        end = await ended(process)

    assert end.code == 0
    assert "The redis stopped (killed by SIGKILL). It starts again in 1 s." in end.err
    assert "The api stopped (killed by SIGKILL). It starts again in 1 s." in end.err


async def test_other_commands_find_what_runs_on_the_same_directory(machine: Machine) -> None:
    async with machine.up() as process:
        again = await machine.run("up", "--port", "0")
        listed = await machine.run("runs")
        found = await machine.run("search", "anything at all")
        assert process.returncode is None

    assert again.code == 4
    assert "is in use by Headwater at http://127.0.0.1:" in again.err
    assert (listed.code, listed.out) == (0, "")
    assert (found.code, found.out) == (0, "")


async def test_parts_that_were_given_and_are_away_are_named_with_what_to_do(
    machine: Machine,
) -> None:
    async with machine.up(
        HEADWATER_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api",
    ) as process:
        said = b""
        while b"PREFECT_API_URL" not in said and process.stderr:
            said += await process.stderr.readline()

    assert b"Check that Redis runs and that HEADWATER_REDIS_URL is right. Until" in said
    assert b"Check that the Prefect server runs and that PREFECT_API_URL is right." in said
    assert b"Prefect is starting" not in said
