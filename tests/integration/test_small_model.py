"""A real model, small as it is, asked through OpenAI's SDK as any other."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Generator

import pytest
from redis.asyncio import Redis

from pipelines.briefing import brief
from pipelines.flows.execution import execute
from pipelines.llm.errors import AnswerCut, TooLong
from pipelines.llm.gateway import Call, Caller
from pipelines.llm.provider import open_provider
from pipelines.llm.questions import KINDS, Asking
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import Thinking, open_thinking
from pipelines.runtime import open_work
from storage import results, runs
from storage.database import Database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT
from storage.money import Budget, Spent
from storage.profiles import Profile
from tests.ingesting import notes, open_house
from tests.marks import on_sqlite
from tests.smallmodel import NAME, weights

CALLER = Caller(purpose="read", tenant=LOCAL_TENANT)
pytestmark = [
    pytest.mark.skipif(weights() is None, reason="no weights: `make test-model` installs them"),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("small model"),  # one server is slow enough
]


@pytest.fixture(scope="module")
def model_url() -> Generator[str]:
    command = [sys.executable, "-m", "tests.smallmodel"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
async def thinking(model_url: str, redis: Redis, redis_url: str) -> AsyncGenerator[Thinking]:
    settings = ModelSettings.model_validate({"key": "any", "base_url": model_url, "model": NAME})
    async with open_thinking(settings, redis_url=redis_url) as thinking:
        assert thinking is not None
        yield thinking


async def test_it_answers_in_the_form_that_is_asked_for(thinking: Thinking) -> None:
    gateway, tally = thinking.attempt(budget=Budget(), before=Spent(month=0, run=0))
    asking = Asking(model=NAME, profile=Profile(), caller=CALLER)
    noted = {"title": "A boat", "summary": "The boat to the island leaves on Friday at seven."}

    answer = await gateway.ask(asking.merging("letter.txt", [noted]))

    assert set(answer.value) == {"kind", "title", "summary", "topics", "importance", "language"}
    assert answer.value["kind"] in KINDS
    assert answer.value["importance"] in range(1, 6)
    assert answer.provenance.usage.input > 100
    [used] = tally.take()
    assert (used.component, used.calls, used.cost_nanos) == ("merge", 1, 0)


@on_sqlite
async def test_it_writes_a_brief_that_is_told_as_it_comes(
    database: Database, thinking: Thinking
) -> None:
    _, spec = notes("ant", "bee")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
    async with open_house(database, spec, workflows={"brief": brief}, thinking=thinking) as house:
        async with database.transaction() as tx:
            run = await runs.ask(
                tx,
                LOCAL_TENANT,
                workflow="brief",
                title="A brief",
                input={"connection_id": str(connection.id)},
                connection=connection.id,
            )
        await house.services.relay.publish(run.id)
        claimed = await house.claim()
        async with open_work(house.services, claimed.id, claimed.attempt) as work:
            await execute(work)
        ended = await house.run(run.id)
        told = await house.services.outputs.snapshot(run.id)
        async with database.reading() as tx:
            written = await results.find(tx, run.id)

    assert ended.status is RunStatus.SUCCEEDED, ended.reason
    assert told is not None
    assert written is not None
    assert written.output["text"] == told.state["text"] != ""
    assert (written.output["model"], written.output["note"]) == (NAME, None)
    assert ended.counts.model_calls == 1


async def test_an_answer_that_is_longer_than_its_cap_is_none(model_url: str) -> None:
    call = Call(
        model=NAME,
        instructions="Count from one to a thousand, in words.",
        content="Begin.",
        schema=None,
        max_output_tokens=8,
        input_tokens=20,
        caller=CALLER,
    )

    async with open_provider(key="any", base_url=model_url) as gateway:
        with pytest.raises(AnswerCut):
            await gateway.ask(call)


async def test_a_question_that_is_longer_than_its_context_is_told_as_that(model_url: str) -> None:
    call = Call(
        model=NAME,
        instructions="Sum it up.",
        content="word " * 9_000,
        schema=None,
        max_output_tokens=8,
        input_tokens=9_000,
        caller=CALLER,
    )

    async with open_provider(key="any", base_url=model_url) as gateway:
        with pytest.raises(TooLong):
            await gateway.ask(call)
