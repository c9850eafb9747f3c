"""The command line with nothing running: what it says, and how it ends."""

import os
import socket
from pathlib import Path

import pytest

from storage import datadir
from tests.acceptance.headwater import Machine, ended

HEAVY = ("fastapi", "sqlalchemy", "prefect", "pydantic", "httpx", "redis", "numpy", "rich")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_help_answers_without_importing_what_work_needs(machine: Machine) -> None:
    help_ = await machine.run("--help", PYTHONPROFILEIMPORTTIME="1")

    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in help_.err.splitlines()}
    assert help_.code == 0
    assert "headwater ingest ." in help_.out
    assert "Exit codes:" in help_.out
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "command",
    [
        *("up", "ingest", "estimate", "watch", "runs", "search", "doctor"),
        *("cancel", "pause", "resume", "retry", "deploy", "schedule", "deletions"),
        "disconnect",
    ],
)
async def test_every_command_explains_itself(machine: Machine, command: str) -> None:
    help_ = await machine.run(command, "--help")

    assert help_.code == 0
    assert "Exit codes:" in help_.out


async def test_the_version_is_told(machine: Machine) -> None:
    version = await machine.run("--version")

    assert version.out.startswith("headwater 0.")


async def test_a_path_that_does_not_exist_is_wrong_usage(machine: Machine) -> None:
    refused = await machine.run("ingest", "nowhere")

    assert refused.code == 2
    assert (
        refused.err == f"headwater: There is nothing at {machine.home}/nowhere. Check the path.\n"
    )
    assert refused.out == ""
    assert not machine.data.exists()


async def test_a_file_is_not_a_folder(machine: Machine) -> None:
    (machine.home / "notes.md").write_text("# Notes")

    refused = await machine.run("ingest", "notes.md")

    assert refused.code == 2
    assert "is a file" in refused.err


async def test_a_loop_of_links_is_no_folder(machine: Machine) -> None:
    (machine.home / "loop").symlink_to("loop")

    refused = await machine.run("ingest", "loop")

    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1


async def test_a_folder_whose_name_is_no_text_is_said(machine: Machine) -> None:
    os.mkdir(os.fsencode(machine.home) + b"/caf\xe9")  # noqa: PTH102  # a Path cannot say this

    refused = await machine.run("ingest", "caf\udce9")

    assert refused.code == 2
    assert "UTF-8" in refused.err


async def test_a_reader_that_goes_away_is_no_error(machine: Machine) -> None:
    process = await machine.start("doctor", "--json")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  # as head does

    end = await ended(process)

    assert "Traceback" not in end.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_folder_that_may_not_be_read_is_said(machine: Machine) -> None:
    (machine.home / "private").mkdir(mode=0o000)

    refused = await machine.run("ingest", "private")

    assert refused.code == 2
    assert "may not be read" in refused.err


async def test_a_port_in_use_is_said_before_anything_starts(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        refused = await machine.run("up", "--port", port)

    assert refused.code == 4
    assert f"Port {port} on 127.0.0.1" in refused.err
    assert "--port" in refused.err
    assert len(refused.err.splitlines()) == 1
    assert not (machine.data / "logs").exists()


async def test_an_address_that_others_could_reach_is_refused(machine: Machine) -> None:
    refused = await machine.run("up", "--host", "0.0.0.0")  # noqa: S104  # the point of the test

    assert refused.code == 4
    assert "127.0.0.1" in refused.err


async def test_a_data_directory_in_use_is_said_with_who_uses_it(machine: Machine) -> None:
    with datadir.hold(machine.data, "0.1.0"):
        refused = await machine.run("up", "--port", "0")

    assert refused.code == 4
    assert f"process {os.getpid()}" in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_a_data_directory_of_a_newer_version_is_left_alone(machine: Machine) -> None:
    machine.data.mkdir()
    (machine.data / "version").write_text("99.0.0\n")

    refused = await machine.run("up", "--port", "0")

    assert refused.code == 4
    assert "99.0.0" in refused.err
    assert (machine.data / "version").read_text() == "99.0.0\n"


async def test_a_search_before_anything_is_ingested_says_where_to_start(machine: Machine) -> None:
    refused = await machine.run("search", "anything")

    assert refused.code == 4
    assert "headwater ingest" in refused.err


async def test_detaching_needs_something_to_go_on(machine: Machine) -> None:
    refused = await machine.run("ingest", ".", "--detach")

    assert refused.code == 4
    assert "headwater up" in refused.err


async def test_what_is_no_id_is_no_run(machine: Machine) -> None:
    refused = await machine.run("watch", "latest")

    assert refused.code == 2
    assert "headwater runs" in refused.err


async def test_no_runs_are_listed_as_nothing(machine: Machine) -> None:
    listed = await machine.run("runs", "--json")

    assert (listed.code, listed.out) == (0, "")


async def test_where_nothing_runs_there_is_nothing_deployed(machine: Machine) -> None:
    shown = await machine.run("deploy", "status")

    assert (shown.code, shown.out) == (0, "")
    assert "every worker takes every run" in shown.err


async def test_an_api_that_is_away_is_said_with_its_address(machine: Machine) -> None:
    away = await machine.run("runs", HEADWATER_API_URL="http://127.0.0.1:1")

    assert away.code == 4
    assert "http://127.0.0.1:1" in away.err
    assert len(away.err.splitlines()) == 1


async def test_the_doctor_finds_a_fresh_machine_well(machine: Machine) -> None:
    checked = await machine.run("doctor")

    assert checked.code == 0
    names = [line.split()[1] for line in checked.out.splitlines() if line.startswith("OK")]
    assert {"python", "data", "disk", "database", "redis", "prefect"} <= set(names)


async def test_the_doctor_says_what_fails_and_what_to_do(machine: Machine) -> None:
    checked = await machine.run(
        "doctor",
        HEADWATER_REDIS_URL="redis://:secret@127.0.0.1:1/0",
        HEADWATER_DATABASE_URL="postgresql://ada:secret@127.0.0.1:1/none",
        PREFECT_API_URL="http://127.0.0.1:1/api",
    )

    assert checked.code == 1
    failed = [line.split()[1] for line in checked.out.splitlines() if line.startswith("FAIL")]
    assert failed == ["database", "redis", "prefect"]
    assert "HEADWATER_DATABASE_URL" in checked.out
    assert "secret" not in checked.out + checked.err
