"""A workflow that asks somebody: it waits without a worker, and goes on with the answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from pipelines.context import Context
from pipelines.errors import MustAsk, Question
from pipelines.flows.attempt import Outcome, conclude
from pipelines.flows.execution import execute
from pipelines.runtime import open_work
from pipelines.workflow import workflow
from storage import questions, results, runs
from storage.database import Database
from storage.errors import AnsweredAlready, NotAsked, RunEnded
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT, RunId
from tests.ingesting import House, open_house


class Letter(BaseModel):
    text: str = "Dear Ada"


class Approval(BaseModel):
    approved: bool
    by: str = Field(max_length=20)

    @field_validator("by")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "nobody":
            raise ValueError("nobody may not approve")
        return value


class Sent(BaseModel):
    sent: bool


@workflow(input=Letter, output=Sent)
async def send(context: Context, letter: Letter) -> AsyncIterator[str | Sent]:
    yield "Written. "
    said = await context.ask("send", Approval, "Send this letter?", about={"text": letter.text})
    yield f"{said.by} decided."
    yield Sent(sent=said.approved)


@pytest.fixture
async def house(database: Database) -> AsyncGenerator[House]:
    async with open_house(database, workflows={"send": send}) as house:
        yield house


async def test_it_waits_with_its_question_and_without_a_worker(house: House) -> None:
    run_id = await ask(house)

    outcome = await attempt(house)

    run, state = await house.run(run_id), await house.state(run_id)
    assert outcome.status is run.status is RunStatus.WAITING
    assert (run.worker, run.waits_until) == (None, None)
    assert state["reason"]["code"] == "input"
    assert state["reason"]["message"] == "Send this letter?"
    assert state["reason"]["question"] == {
        "name": "send",
        "answer_schema": Approval.model_json_schema(),
        "about": {"text": "Dear Ada"},
    }


async def test_it_goes_on_with_the_answer(house: House) -> None:
    run_id = await ask(house)
    await attempt(house)

    assert await reply(house, run_id, {"approved": True, "by": "Ada"}) is True
    await attempt(house)

    run = await house.run(run_id)
    assert (run.status, run.attempt, run.tries) == (RunStatus.SUCCEEDED, 2, 1)
    async with house.services.database.reading() as tx:
        result = await results.find(tx, run_id)
    assert result is not None
    assert (result.text, result.output) == ("Written. Ada decided.", {"sent": True})


async def test_an_answer_that_the_model_does_not_take_is_asked_for_again(house: House) -> None:
    run_id = await ask(house)
    await attempt(house)
    await reply(house, run_id, {"approved": True, "by": "nobody"})
    await attempt(house)
    asks_again = await house.run(run_id)

    await reply(house, run_id, {"approved": False, "by": "Ada"})
    await attempt(house)

    assert asks_again.status is RunStatus.WAITING
    assert "nobody may not approve" in (asks_again.reason or {})["message"]
    assert (await house.run(run_id)).status is RunStatus.SUCCEEDED


async def test_the_first_answer_counts(house: House) -> None:
    run_id = await ask(house)
    await attempt(house)
    given = {"approved": True, "by": "Ada"}
    await reply(house, run_id, given)

    assert await reply(house, run_id, given) is False
    with pytest.raises(AnsweredAlready):
        await reply(house, run_id, {**given, "approved": False})


async def test_what_was_not_asked_cannot_be_answered(house: House) -> None:
    run_id = await ask(house)
    with pytest.raises(NotAsked):
        await reply(house, run_id, {"approved": True, "by": "Ada"})

    await attempt(house)
    async with house.services.database.transaction() as tx:
        await runs.cancel(tx, LOCAL_TENANT, run_id)

    with pytest.raises(RunEnded):
        await reply(house, run_id, {"approved": True, "by": "Ada"})


async def test_an_answer_that_comes_while_it_asks_again_is_not_missed(house: House) -> None:
    run_id = await ask(house)
    await attempt(house)
    async with house.services.database.transaction() as tx:
        await runs.resume(tx, LOCAL_TENANT, run_id)
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        asking = MustAsk(Question("send", Approval.model_json_schema()), "Send this letter?")
        await reply(house, run_id, {"approved": True, "by": "Ada"})

        async def asks() -> Outcome:
            raise asking  # it has looked before they answered

        await conclude(work, asks)

    await attempt(house)  # nobody had to wake it

    assert (await house.run(run_id)).status is RunStatus.SUCCEEDED


async def ask(house: House) -> RunId:
    async with house.services.database.transaction() as tx:
        run = await runs.ask(tx, LOCAL_TENANT, workflow="send", title="Send", input={})
    await house.services.relay.publish(run.id)
    return run.id


async def attempt(house: House) -> Outcome:
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        return await execute(work)


async def reply(house: House, run_id: RunId, answer: Any) -> bool | None:
    async with house.services.database.transaction() as tx:
        return await questions.reply(tx, LOCAL_TENANT, run_id, "send", answer)
