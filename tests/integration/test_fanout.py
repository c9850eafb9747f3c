"""A workflow over many items: partial failure, resumption, and nothing done twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from pipelines.component import component
from pipelines.context import Context
from pipelines.errors import MustWait
from pipelines.flows.attempt import Outcome
from pipelines.flows.execution import execute
from pipelines.guards import Boundary, Once
from pipelines.items import Done
from pipelines.runtime import open_work
from pipelines.workflow import Workflow, workflow
from storage import results, runs
from storage.database import Database
from storage.events import RunStatus, WaitingReason
from storage.ids import LOCAL_TENANT, RunId
from tests.ingesting import House, open_house
from tests.waiting import wait_until

MANY = 40
BAD = 7


class Batch(BaseModel):
    size: int = MANY
    again: int = 0


class Total(BaseModel):
    total: int
    failed: list[int]


@dataclass(slots=True)
class Mill:
    """What the workflow's component is made to do, and what it has done."""

    begun: Counter[int] = field(default_factory=Counter[int])
    in_hand: int = 0
    most: int = 0
    holds_from: int = 10_000
    limited: bool = False
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    async def grind(self, number: int) -> int:
        self.begun[number] += 1
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        try:
            return await self._ground(number)
        finally:
            self.in_hand -= 1

    async def _ground(self, number: int) -> int:
        if number >= self.holds_from:
            await self.freed.wait()
        if number == BAD:
            raise ValueError("a stone")
        if self.limited and number == 3:
            raise MustWait(WaitingReason.RATE_LIMITED, "Slower.", action="None.", until=None)
        return number * 2


def flour(mill: Mill, *, once: bool) -> Workflow[Batch, Total]:
    guards = (Boundary(), Once(version=1)) if once else (Boundary(),)

    @component(*guards)
    async def grind(context: Context, number: int) -> int:
        return await mill.grind(number)

    @workflow(input=Batch, output=Total)
    async def flour(context: Context, batch: Batch) -> AsyncIterator[Total]:
        total, failed = 0, []
        numbers = [*range(batch.size), *range(batch.again)]
        async for each in context.map(grind, numbers, at_once=4):
            if isinstance(each, Done):
                total += each.value
            else:
                failed.append(each.item)
        yield Total(total=total, failed=failed)

    return flour


@pytest.fixture
def mill() -> Mill:
    return Mill()


@pytest.fixture(params=[True, False], ids=["once", "each run"])
async def house(
    request: pytest.FixtureRequest, database: Database, mill: Mill
) -> AsyncGenerator[House]:
    made = flour(mill, once=request.param)
    async with open_house(database, workflows={"flour": made}) as house:
        yield house


async def test_one_bad_item_is_data_and_the_others_are_done(house: House, mill: Mill) -> None:
    run_id = await ask(house)

    outcome = await attempt(house)

    run, state = await house.run(run_id), await house.state(run_id)
    assert outcome.status is run.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert await output(house, run_id) == {"total": 2 * (sum(range(MANY)) - BAD), "failed": [BAD]}
    assert (run.counts.found, run.counts.processed) == (MANY, MANY - 1)
    assert (run.counts.failed, run.counts.adds_up) == ({"internal": 1}, True)
    assert [each["title"] for each in state["failures"]] == [str(BAD)]


async def test_its_progress_is_on_the_runs_stream(house: House, mill: Mill) -> None:
    mill.holds_from = 25
    run_id = await ask(house)
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        doing = asyncio.create_task(execute(work))
        await settled(house, run_id, 25)
        await wait_until(lambda: held(mill, 4))
        await wait_until(lambda: shown(house, run_id, done=25, status="active"))
        mill.freed.set()
        await doing

    assert mill.most == 4
    assert await shown(house, run_id, done=MANY, status="done")


async def test_an_attempt_that_dies_is_followed_by_one_that_does_what_is_left(
    house: House, mill: Mill
) -> None:
    mill.holds_from = 25
    run_id = await ask(house)
    run = await house.claim(lease=timedelta(0))
    async with open_work(house.services, run.id, run.attempt) as work:
        dying = asyncio.create_task(execute(work))
        await settled(house, run_id, 25)
        await wait_until(lambda: held(mill, 4))
        mill.holds_from = 10_000
        await attempt(house)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)

    assert {number for number, times in mill.begun.items() if times > 1} == {25, 26, 27, 28}
    assert await output(house, run_id) == {"total": 2 * (sum(range(MANY)) - BAD), "failed": [BAD]}
    counts = (await house.run(run_id)).counts
    assert (counts.found, counts.processed, counts.failed) == (MANY, MANY - 1, {"internal": 1})


async def test_a_drained_worker_ends_what_is_in_hand_and_begins_no_more(
    house: House, mill: Mill
) -> None:
    mill.holds_from = 25
    run_id = await ask(house)
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        doing = asyncio.create_task(execute(work))
        await settled(house, run_id, 25)
        await wait_until(lambda: held(mill, 4))

        house.services.draining.set()
        mill.freed.set()
        outcome = await doing

    assert outcome.status is RunStatus.QUEUED
    assert (await house.run(run_id)).counts.found == 29
    assert len(mill.begun) == 29

    house.services.draining.clear()
    await attempt(house)

    assert set(mill.begun.values()) == {1}


async def test_an_item_that_must_wait_waits_alone(house: House, mill: Mill) -> None:
    mill.limited = True
    run_id = await ask(house)
    await attempt(house)
    waiting = await house.run(run_id)
    mill.limited = False

    async with house.services.database.transaction() as tx:
        await runs.wake(tx, run=run_id)
    await attempt(house)

    assert (waiting.status, waiting.worker) == (RunStatus.WAITING, None)
    assert waiting.counts.found >= 3  # who was in hand beside it came to its end
    assert [number for number, times in mill.begun.items() if times > 1] == [3]
    assert (await house.run(run_id)).counts.found == MANY


async def test_equal_items_are_worked_on_once_and_told_each(house: House, mill: Mill) -> None:
    run_id = await ask(house, size=4, again=3)

    await attempt(house)

    assert await output(house, run_id) == {"total": 2 * (0 + 1 + 2 + 3 + 0 + 1 + 2), "failed": []}
    assert set(mill.begun.values()) == {1}


async def test_what_once_has_kept_is_free_for_every_later_run(house: House, mill: Mill) -> None:
    kept = house.services.workflows["flour"]
    await ask(house)
    await attempt(house)
    again = await ask(house)

    await attempt(house)

    counts = (await house.run(again)).counts
    guarded = counts.unchanged > 0
    assert mill.begun[BAD] == 2  # a failure is another run's to try again
    assert mill.begun[0] == (1 if guarded else 2)
    assert (counts.processed, counts.unchanged) == ((0, MANY - 1) if guarded else (MANY - 1, 0))
    assert kept.name == "flour"


async def ask(house: House, **given: int) -> RunId:
    async with house.services.database.transaction() as tx:
        run = await runs.ask(tx, LOCAL_TENANT, workflow="flour", title="Flour", input=given)
    await house.services.relay.publish(run.id)
    return run.id


async def attempt(house: House) -> Outcome:
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        return await execute(work)


async def output(house: House, run_id: RunId) -> Any:
    async with house.services.database.reading() as tx:
        result = await results.find(tx, run_id)
    assert result is not None
    return result.output


async def settled(house: House, run_id: RunId, number: int) -> None:
    async def enough() -> bool:
        return (await house.run(run_id)).counts.found >= number

    await wait_until(enough)


async def held(mill: Mill, number: int) -> bool:
    return mill.in_hand == number


async def shown(house: House, run_id: RunId, *, done: int, status: str) -> bool:
    stage: Mapping[str, Any] = next(iter((await house.state(run_id))["stages"]), {})
    expected = {"key": "grind", "title": "Grind", "status": status, "done": done, "final": True}
    return dict(stage) == {**expected, "total": MANY}
