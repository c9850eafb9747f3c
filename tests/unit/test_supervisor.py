"""Parts are kept up, and go down together."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api.supervisor import Pace, Part, PartFailed, Supervisor
from tests.processes import alive
from tests.waiting import wait_until

QUICK = Pace(first=timedelta(milliseconds=10), longest=timedelta(milliseconds=40), tries=3)
FOR_EVER = "import signal; signal.pause()"


class Said(list[str]):
    """The sentences of a supervisor."""


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
async def supervisor(said: Said) -> AsyncIterator[Supervisor]:
    it = Supervisor(said.append, pace=QUICK)
    yield it
    it.kill()
    await it.stop(*it.pids, "part")


def part(folder: Path, program: str, *, ready: bool = True, stop_within: float = 10.0) -> Part:
    async def answer() -> bool:
        return ready

    return Part(
        name="part",
        command=(sys.executable, "-S", "-c", program),
        environment=os.environ,
        log=folder / "logs" / "part.log",
        ready=answer,
        stop_within=timedelta(seconds=stop_within),
    )


def running(supervisor: Supervisor) -> int:
    return supervisor.pids.get("part", 0)


async def test_a_part_that_dies_is_started_again(
    supervisor: Supervisor, said: Said, tmp_path: Path
) -> None:
    supervisor.start(part(tmp_path, FOR_EVER))
    await supervisor.ready("part")
    first = running(supervisor)

    os.kill(first, 9)

    await wait_until(lambda: running(supervisor) not in {0, first})
    assert "The part stopped (killed by SIGKILL). It starts again in 0.01 s." in said[0]


async def test_a_part_learns_in_whose_place_it_is_started(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    program = f"import os; open({str(told)!r}, 'a').write(os.environ.get('DEAD', 'none') + ' ')"
    supervisor.start(replace(part(tmp_path, f"{program}; {FOR_EVER}"), heir="DEAD"))
    await wait_until(lambda: told.exists() and told.read_text().count(" ") == 1)
    first = running(supervisor)

    os.kill(first, 9)

    await wait_until(lambda: told.read_text().count(" ") == 2)
    assert told.read_text().split() == ["none", str(first)]


async def test_each_start_waits_twice_as_long_up_to_a_bound(
    supervisor: Supervisor, said: Said, tmp_path: Path
) -> None:
    supervisor.start(part(tmp_path, "raise SystemExit(7)"))

    await wait_until(lambda: len(said) >= 4)

    waits = [sentence.split(" again in ")[1].split(" s.")[0] for sentence in said[:4]]
    assert waits == ["0.01", "0.02", "0.04", "0.04"]
    assert "exit code 7" in said[0]


async def test_a_part_that_was_well_for_a_while_is_started_at_once_again(
    said: Said, tmp_path: Path
) -> None:
    patient = Pace(first=timedelta(milliseconds=10), good_while=timedelta(milliseconds=1))
    supervisor = Supervisor(said.append, pace=patient)

    supervisor.start(part(tmp_path, "pass"))
    await wait_until(lambda: len(said) >= 3)
    await supervisor.stop("part")

    assert all("again in 0.01 s" in sentence for sentence in said[:3])


async def test_a_part_that_never_starts_is_given_up_with_what_it_said(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(part(tmp_path, "raise SystemExit('no such thing as a teapot')", ready=False))

    with pytest.raises(PartFailed, match="no such thing as a teapot") as failure:
        await supervisor.ready("part")

    assert str(tmp_path / "logs" / "part.log") in str(failure.value)


async def test_a_part_that_is_given_up_is_told_to_whoever_waits_for_any(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(part(tmp_path, "raise SystemExit(1)", ready=False))

    with pytest.raises(PartFailed, match="exit code 1"):
        await supervisor.failed()


async def test_stopping_lets_a_part_finish_what_it_does(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    done, ready = tmp_path / "done", tmp_path / "ready"
    supervisor.start(
        part(
            tmp_path,
            "import pathlib, signal\n"
            f"def end(*_): pathlib.Path({str(done)!r}).touch(); raise SystemExit\n"
            "signal.signal(signal.SIGTERM, end)\n"
            f"pathlib.Path({str(ready)!r}).touch()\n"
            "signal.pause()",
        )
    )
    await wait_until(ready.exists)

    await supervisor.stop("part")

    assert done.exists()
    assert not supervisor.pids


async def test_a_part_that_does_not_stop_in_time_is_killed(
    supervisor: Supervisor, said: Said, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    stubborn = (
        "import pathlib, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "signal.pause()"
    )
    supervisor.start(part(tmp_path, stubborn, stop_within=0.1))
    await wait_until(ready.exists)
    pid = running(supervisor)

    await supervisor.stop("part")

    assert not alive(pid)
    assert said == ["The part did not stop in time and was killed."]


async def test_stopping_a_part_that_waits_for_its_next_start_is_immediate(
    said: Said, tmp_path: Path
) -> None:
    slow = Pace(first=timedelta(minutes=5), longest=timedelta(minutes=5))
    supervisor = Supervisor(said.append, pace=slow)
    supervisor.start(part(tmp_path, "pass"))
    await wait_until(lambda: len(said) == 1)
    began = time.monotonic()

    await supervisor.stop("part")

    assert time.monotonic() - began < 5


async def test_what_a_dead_part_leaves_behind_goes_with_it(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    note = tmp_path / "grandchild"
    parent = (
        "import pathlib, signal, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-c', {FOR_EVER!r}])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "signal.pause()"
    )
    supervisor.start(part(tmp_path, parent))
    await wait_until(lambda: note.exists() and note.read_text() != "")
    grandchild = int(note.read_text())

    os.kill(running(supervisor), 9)

    await wait_until(lambda: not alive(grandchild))


async def test_no_part_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = f"""
import asyncio, os, pathlib, sys
from api.supervisor import Part, Supervisor

async def ready():
    return True

async def main():
    supervisor = Supervisor(print)
    supervisor.start(Part(
        name="part", command=(sys.executable, "-S", "-c", {FOR_EVER!r}), environment=os.environ,
        log=pathlib.Path({str(tmp_path)!r}, "part.log"), ready=ready,
    ))
    await supervisor.ready("part")
    pathlib.Path({str(note)!r}).write_text(str(supervisor.pids["part"]))
    await asyncio.Event().wait()

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await wait_until(lambda: note.exists() and note.read_text() != "")
    pid = int(note.read_text())
    assert alive(pid)

    process.kill()
    await process.wait()

    await wait_until(lambda: not alive(pid))
