"""The brief: told as it is written, with its sources; and without a model, from extracts."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from pipelines.briefing import NO_MODEL, brief
from pipelines.context import StoppedClock
from pipelines.flows.execution import execute
from pipelines.llm.errors import AnswerLost
from pipelines.llm.retrying import RetryBudget
from pipelines.llm.scripted import ScriptedGateway, reads
from pipelines.llm.thinking import Thinking
from pipelines.runtime import open_work
from storage import results, runs
from storage.connections import Connection
from storage.database import Database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT, RunId
from storage.money import Price, Prices, usage
from tests.ingesting import House, notes, open_house

PRICES = Prices({"m": Price(1_000, 100, 10_000)}, "a test", "2026-11-25")
WRITTEN = {"text": "Notes about an ant [1] and a bee [2]. And more [9]. "}


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway(otherwise=reads)


@pytest.fixture
async def house(database: Database, gateway: ScriptedGateway) -> AsyncGenerator[House]:
    clock = StoppedClock()
    thinking = Thinking(
        gateway=gateway, model="m", prices=PRICES, retries=RetryBudget(clock), clock=clock
    )
    _, spec = notes("ant", "bee")
    async with open_house(database, spec, workflows={"brief": brief}, thinking=thinking) as house:
        yield house


async def test_a_brief_is_told_as_it_is_written_and_names_its_sources(
    house: House, gateway: ScriptedGateway
) -> None:
    connection = await house.connect("memory", {})
    await house.ingest(connection)
    gateway.then(WRITTEN)

    run_id = await ask(house, connection)
    await attempt(house)

    output = await result(house, run_id)
    assert output["text"] == WRITTEN["text"]
    assert [each["number"] for each in output["citations"]] == [1, 2]
    assert len({each["artifact_id"] for each in output["citations"]}) == 2
    assert (output["model"], output["note"]) == ("m", None)
    told = await house.services.outputs.snapshot(run_id)
    assert told is not None
    assert told.state["text"] == WRITTEN["text"]


async def test_what_a_brief_took_is_paid_for_by_its_run(
    house: House, gateway: ScriptedGateway
) -> None:
    connection = await house.connect("memory", {})
    await house.ingest(connection)
    gateway.then(WRITTEN)

    run_id = await ask(house, connection)
    await attempt(house)

    async with house.services.database.reading() as tx:
        [used] = await usage.of_run(tx, LOCAL_TENANT, run_id)
    assert (used.component, used.model, used.calls) == ("brief", "m", 1)


async def test_a_brief_that_broke_off_begins_again_and_takes_back_what_it_said(
    house: House, gateway: ScriptedGateway
) -> None:
    connection = await house.connect("memory", {})
    await house.ingest(connection)
    gateway.then(AnswerLost("cut", model="m"), WRITTEN)
    run_id = await ask(house, connection)

    await attempt(house)
    waiting = await house.run(run_id)
    async with house.services.database.transaction() as tx:
        await runs.wake(tx, run=run_id)
    await attempt(house)

    assert waiting.status is RunStatus.WAITING
    assert (await house.run(run_id)).status is RunStatus.SUCCEEDED
    assert (await result(house, run_id))["text"] == WRITTEN["text"]
    told = await house.services.outputs.snapshot(run_id)
    assert told is not None
    assert told.state["text"] == WRITTEN["text"]


async def test_without_a_model_it_is_put_together_from_extracts_and_says_so(
    database: Database,
) -> None:
    _, spec = notes("ant", "bee")
    async with open_house(database, spec, workflows={"brief": brief}) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)

        run_id = await ask(house, connection)
        await attempt(house)

        output = await result(house, run_id)
    assert (output["model"], output["note"]) == (None, NO_MODEL)
    assert {each["number"] for each in output["citations"]} == {1, 2}
    assert "This note is about ant." in output["text"]


async def test_nothing_to_say_is_said(house: House) -> None:
    connection = await house.connect("memory", {})

    run_id = await ask(house, connection)
    await attempt(house)

    output = await result(house, run_id)
    assert output["text"].startswith("Nothing of this connection can be searched yet")
    assert output["citations"] == []


async def ask(house: House, connection: Connection) -> RunId:
    async with house.services.database.transaction() as tx:
        run = await runs.ask(
            tx,
            LOCAL_TENANT,
            workflow="brief",
            title="A brief",
            input={"connection_id": str(connection.id)},
            connection=connection.id,
        )
    await house.services.relay.publish(run.id)
    return run.id


async def attempt(house: House) -> None:
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        await execute(work)


async def result(house: House, run_id: RunId) -> Any:
    async with house.services.database.reading() as tx:
        kept = await results.find(tx, run_id)
    assert kept is not None, (await house.run(run_id)).reason
    return kept.output
