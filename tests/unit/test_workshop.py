"""The workshop answers each item by itself, whatever happens to the process that works on it."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from pipelines.errors import PoisonItem, WorkshopClosed
from pipelines.workshop import Limits, Workshop, open_workshop
from tests.waiting import wait_until


def double(number: int) -> int:
    return number * 2


def pid(_: int) -> int:
    return os.getpid()


def die_at_seven(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(marker: str) -> str:
    if not os.path.exists(marker):  # noqa: PTH110  # pathlib is slower to import than this is long
        os.close(os.open(marker, os.O_CREAT))
        os.kill(os.getpid(), signal.SIGSEGV)
    return "survived"


def refuse(number: int) -> int:
    raise ValueError(f"{number} will not do")


class Mine:
    """Cannot be made again of its pickle."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)


def make_mine(_: int) -> Mine:
    return Mine()


class Awkward(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def refuse_awkwardly(number: int) -> int:
    raise Awkward(number, number)


def hang(seconds: float) -> None:
    threading.Event().wait(seconds)


def print_something(text: str) -> str:
    print(text)  # noqa: T201  # as libraries do
    return text


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    async with open_workshop(Limits(processes=1, item_seconds=20)) as workshop:
        yield workshop


async def test_the_work_is_done_in_another_process(workshop: Workshop) -> None:
    assert await workshop.run(pid, 0) != os.getpid()


async def test_each_item_gets_its_own_answer(workshop: Workshop) -> None:
    answers = await asyncio.gather(*(workshop.run(double, number) for number in range(100)))

    assert answers == [number * 2 for number in range(100)]


async def test_an_error_comes_back_as_itself_and_says_where_it_was_raised(
    workshop: Workshop,
) -> None:
    with pytest.raises(ValueError, match="3 will not do") as caught:
        await workshop.run(refuse, 3)

    assert "in refuse" in "".join(caught.value.__notes__)


async def test_an_error_that_cannot_be_pickled_still_comes_back(workshop: Workshop) -> None:
    with pytest.raises(Exception, match="Awkward: 3 and 3"):
        await workshop.run(refuse_awkwardly, 3)

    assert await workshop.run(double, 4) == 8


async def test_a_result_that_cannot_be_unpickled_is_an_error_of_its_item(
    workshop: Workshop,
) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await workshop.run(make_mine, 3)

    assert await workshop.run(double, 4) == 8


async def test_what_kills_its_process_is_poison_and_its_neighbours_are_not(
    workshop: Workshop,
) -> None:
    answers = await asyncio.gather(
        *(workshop.run(die_at_seven, number) for number in range(20)), return_exceptions=True
    )

    assert isinstance(answers.pop(7), PoisonItem)
    assert answers == [number for number in range(20) if number != 7]


async def test_one_death_may_be_chance(
    workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    marker = tmp_path_factory.mktemp("chance") / "died"

    assert await workshop.run(die_once, str(marker)) == "survived"


async def test_what_hangs_is_stopped_and_the_next_item_is_worked_on() -> None:
    async with open_workshop(Limits(processes=1, item_seconds=2)) as workshop:
        hanging = asyncio.create_task(workshop.run(hang, 3600.0))
        next_one = asyncio.create_task(workshop.run(double, 1))

        with pytest.raises(PoisonItem, match="did not end within 2 s"):
            await hanging
        assert await next_one == 2


async def test_whoever_stops_waiting_disturbs_nobody(workshop: Workshop) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(workshop.run(hang, 0.5), timeout=0.1)

    assert await workshop.run(double, 5) == 10


async def test_what_a_library_prints_is_not_taken_for_an_answer(workshop: Workshop) -> None:
    assert await workshop.run(print_something, "hello") == "hello"


async def test_a_closed_workshop_refuses_at_once() -> None:
    async with open_workshop() as workshop:
        pass

    with pytest.raises(WorkshopClosed):
        await workshop.run(double, 1)


async def test_closing_stops_work_in_hand_and_its_process() -> None:
    async with open_workshop() as workshop:
        child = await workshop.run(pid, 0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(workshop.run(hang, 3600.0), timeout=0.1)

    assert not _lives(child)


async def test_the_children_end_with_a_parent_that_is_killed() -> None:
    program = """
import asyncio
from pipelines.workshop import open_workshop
from tests.unit.test_workshop import hang, pid

async def main():
    async with open_workshop() as workshop:
        print(await workshop.run(pid, 0), flush=True)
        await workshop.run(hang, 3600.0)

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())

    parent.kill()
    await parent.wait()

    await wait_until(lambda: not _lives(child))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = f"/proc/{process}/stat"
    if not os.path.exists(stat):  # noqa: PTH110  # no such place outside Linux
        return True
    with open(stat) as lines:  # noqa: PTH123
        return lines.read().rpartition(")")[2].split()[0] != "Z"
