"""``headwater ingest`` end to end: a repository in, a receipt that adds up, hits with lines out."""

import json
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.headwater import Ended, Machine, ended

pytestmark = pytest.mark.timeout(300)

README = "# Stream\n\nThe sequence number of an event is given by the log when it is appended.\n"
CODE = '''"""Draining."""


def drain(worker: object, patience_seconds: float) -> None:
    """Let the worker finish the batch in hand, then hand its runs over."""
    raise NotImplementedError
'''


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def repository(machine: Machine) -> Path:
    """Three files: one to read, one to cut, one to skip."""
    place = machine.home / "stream"
    place.mkdir()
    (place / "README.md").write_text(README)
    (place / "worker.py").write_text(CODE)
    (place / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for step in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "First")):
        subprocess.run(["git", *step], cwd=place, check=True)
    return place


def numbers(receipt: str) -> Mapping[str, int]:
    rows = re.findall(r"^  (\w+) +([\d,]+)(?:  |$)", receipt, re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in rows}


def receipt(end: Ended) -> Mapping[str, Any]:
    last: Mapping[str, Any] = json.loads(end.out.splitlines()[-1])
    assert last["type"] == "receipt"
    return last


async def test_a_repository_is_ingested_once_and_found_by_file_and_lines(
    machine: Machine, repository: Path
) -> None:
    first = await machine.run("ingest", repository)
    again = await machine.run("ingest", repository)
    found = await machine.run("search", "sequence number of an event", "--limit", "1")

    assert (first.code, again.code, found.code) == (0, 0, 0), first.err + again.err
    one, two = numbers(first.out), numbers(again.out)
    assert one == {
        "found": 3, "processed": 2, "unchanged": 0, "skipped": 1, "failed": 0, "deleted": 0
    }  # fmt: skip
    assert two == {**one, "processed": 0, "unchanged": 2}
    assert "no model" in first.out.lower()
    assert "headwater search" in first.err
    assert found.out.startswith("README.md:1-3")
    assert machine.url() is None


async def test_a_program_gets_frames_and_the_receipt_as_json(
    machine: Machine, repository: Path
) -> None:
    end = await machine.run("ingest", repository, "--json")

    frames = [json.loads(line) for line in end.out.splitlines()]
    assert end.code == 0, end.err
    assert frames[0]["type"] == "snapshot"
    assert [frame["kind"] for frame in frames if frame["type"] == "event"][-1] == "run.succeeded"
    assert receipt(end)["adds_up"]


async def test_a_running_stack_is_used_and_left_running(machine: Machine, repository: Path) -> None:
    async with machine.up() as process:
        asked = await machine.run("ingest", repository, "--detach")
        watched = await machine.run("watch", asked.out.strip(), "--json")
        again = await machine.run("ingest", repository)
        listed = await machine.run("runs", "--json")
        assert process.returncode is None

    assert (asked.code, watched.code, again.code) == (0, 0, 0), watched.err + again.err
    assert receipt(watched)["counts"]["processed"] == 2
    assert numbers(again.out)["unchanged"] == 2
    assert [json.loads(line)["status"] for line in listed.out.splitlines()] == ["succeeded"] * 2


async def test_an_interrupted_ingestion_goes_on_with_the_next_one(
    machine: Machine, repository: Path
) -> None:
    process = await machine.start("ingest", repository, "--json")
    assert process.stdout is not None
    snapshot = json.loads(await process.stdout.readline())
    process.send_signal(signal.SIGINT)
    interrupted = await ended(process)

    finished = await machine.run("ingest", repository, "--json")

    assert interrupted.code == 130
    assert "goes on with the next" in interrupted.err
    assert finished.code == 0, finished.err
    assert receipt(finished)["run_id"] == snapshot["state"]["id"]
    assert receipt(finished)["counts"]["found"] == 3


async def test_an_ingestion_outlives_the_stack_it_was_asked_of(
    machine: Machine, repository: Path
) -> None:
    async with machine.up() as stack:
        process = await machine.start("ingest", repository, "--json")
        assert process.stdout is not None
        snapshot = json.loads(await process.stdout.readline())
        stack.kill()
        await stack.wait()
        end = await ended(process)

    assert end.code == 0, end.err
    assert receipt(end)["run_id"] == snapshot["state"]["id"]
