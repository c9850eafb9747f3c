"""Workflows at work: what they say is told, what they come to is kept, and a death repeats them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from pipelines.context import Context
from pipelines.flows.attempt import Outcome
from pipelines.flows.execution import execute
from pipelines.runtime import open_work
from pipelines.workflow import Workflow, workflow
from storage import outputs, results, runs
from storage.database import Database
from storage.events import EventKind, RunStatus, State
from storage.ids import LOCAL_TENANT, RunId, Seq
from storage.outputs import Piece
from storage.results import Result
from tests.ingesting import House, open_house
from tests.waiting import wait_until


class Name(BaseModel):
    name: str


class Greeting(BaseModel):
    greeting: str


@workflow(input=Name, output=Greeting)
async def greet(context: Context, given: Name) -> AsyncIterator[str | Greeting | Name]:
    """Greets whoever is named."""
    yield "Hello, "
    yield given
    yield given.name
    yield Greeting(greeting=f"Hello, {given.name}")


@workflow(input=Name, output=str)
async def recite(context: Context, given: Name) -> AsyncIterator[str]:
    yield "To be "
    yield "or not."


@workflow(input=Name, output=Greeting, title="A quiet one")
async def nod(context: Context, given: Name) -> Greeting:
    return Greeting(greeting="…")


@workflow(input=Name, output=Greeting)
async def forget(context: Context, given: Name) -> AsyncIterator[str]:
    yield "What was it?"


@workflow(input=Name, output=Greeting)
async def stumble(context: Context, given: Name) -> Greeting:
    raise LookupError("nobody is at home")


@workflow(input=Name, output=Greeting)
async def linger(context: Context, given: Name) -> AsyncIterator[str]:
    yield "Well …"
    await asyncio.Event().wait()


ALL: Mapping[str, Workflow[Any, Any]] = {
    each.name: each for each in (greet, recite, nod, forget, stumble, linger)
}


@pytest.fixture
async def house(database: Database) -> AsyncGenerator[House]:
    async with open_house(database, workflows=ALL) as house:
        yield house


async def test_what_it_says_is_told_and_what_it_comes_to_is_kept(house: House) -> None:
    run_id = await ask(house, "greet")

    outcome = await attempt(house)

    assert outcome.status is RunStatus.SUCCEEDED
    kept = Result(text="Hello, Ada", items=[{"name": "Ada"}], output={"greeting": "Hello, Ada"})
    assert await result(house, run_id) == kept
    state = await told(house, run_id)
    assert (state["text"], state["items"], state["output"], state["status"]) == (
        *(kept.text, kept.items, kept.output),
        "succeeded",
    )
    assert await house.kinds(run_id) == [
        *(EventKind.QUEUED, EventKind.STARTED, EventKind.SUCCEEDED),
    ]


@pytest.mark.parametrize(
    ("name", "output"), [("recite", "To be or not."), ("nod", {"greeting": "…"})]
)
async def test_text_alone_and_a_plain_function_do_as_well(
    house: House, name: str, output: object
) -> None:
    run_id = await ask(house, name)

    await attempt(house)

    kept = await result(house, run_id)
    assert kept is not None
    assert kept.output == output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("forget", "Workflow forget came to 0 results"),
        ("stumble", "nobody is at home"),
        ("unheard_of", "no workflow named 'unheard_of'"),
    ],
)
async def test_a_workflow_that_breaks_fails_its_run_and_ends_its_output(
    house: House, name: str, words: str
) -> None:
    run_id = await ask(house, name)

    await attempt(house)

    run = await house.run(run_id)
    assert run.status is RunStatus.FAILED
    assert words in (run.reason or {})["message"]
    assert (await told(house, run_id))["status"] == "failed"
    assert await result(house, run_id) is None


async def test_an_attempt_that_dies_is_taken_back_and_done_again(house: House) -> None:
    run_id = await ask(house, "greet")
    await half_said(house)

    await attempt(house)

    assert (await told(house, run_id))["text"] == "Hello, Ada"
    kinds = [
        each.event.kind for each in (await house.services.outputs.since(run_id, Seq(0))).events
    ]
    assert EventKind.SUPERSEDED in kinds


async def test_a_drained_worker_lets_a_workflow_go_and_another_one_begins_it_again(
    house: House,
) -> None:
    run_id = await ask(house, "linger")
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        doing = asyncio.create_task(execute(work))
        await spoken(house, run_id)

        house.services.draining.set()
        outcome = await doing

    assert outcome.status is RunStatus.QUEUED
    assert (await house.run(run_id)).worker is None


async def test_who_wishes_it_to_stop_is_heard_in_the_middle(house: House) -> None:
    run_id = await ask(house, "linger")
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        doing = asyncio.create_task(execute(work))
        await spoken(house, run_id)

        async with house.services.database.transaction() as tx:
            await runs.cancel(tx, LOCAL_TENANT, run_id)
        house.services.stop({(run.id, run.attempt)})
        await doing

    async with house.services.database.transaction() as tx:
        await runs.honour(tx)
    assert (await house.run(run_id)).status is RunStatus.CANCELLED


async def half_said(house: House) -> None:
    """An attempt that said something, and whose process is gone."""
    run = await house.claim(lease=timedelta(0))
    log, at = house.services.outputs.inner, house.services.clock.now()
    await log.append(run.id, outputs.began(run.attempt, at=at, again=False), milestone=1)
    piece = Piece(0, EventKind.OUTPUT_DELTA, "Good morn")
    await log.append(run.id, outputs.said(run.attempt, piece, at=at))


async def ask(house: House, name: str) -> RunId:
    async with house.services.database.transaction() as tx:
        run = await runs.ask(tx, LOCAL_TENANT, workflow=name, title=name, input={"name": "Ada"})
    await house.services.relay.publish(run.id)
    return run.id


async def attempt(house: House) -> Outcome:
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        return await execute(work)


async def told(house: House, run_id: RunId) -> State:
    snapshot = await house.services.outputs.snapshot(run_id)
    assert snapshot is not None
    return snapshot.state


async def spoken(house: House, run_id: RunId) -> None:
    async def said_something() -> bool:
        snapshot = await house.services.outputs.snapshot(run_id)
        return snapshot is not None and bool(snapshot.state["text"])

    await wait_until(said_something)


async def result(house: House, run_id: RunId) -> Result | None:
    async with house.services.database.reading() as tx:
        return await results.find(tx, run_id)
