"""An ingestion that a model reads: what it makes of artifacts, of its outages and of its bills."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from connectors.connector import Spec
from pipelines.context import StoppedClock
from pipelines.llm.errors import (
    AddressWrong,
    CreditExhausted,
    KeyRefused,
    ModelError,
    ModelUnknown,
    ProviderDown,
    Refused,
)
from pipelines.llm.gateway import Call, Gateway
from pipelines.llm.retrying import RetryBudget
from pipelines.llm.scripted import Reaction, ScriptedGateway, reads
from pipelines.llm.thinking import Thinking
from storage import artifacts, connections, runs
from storage.artifacts import ArtifactRow
from storage.connections import Connection
from storage.database import Database
from storage.events import EventKind, RunStatus
from storage.ids import LOCAL_TENANT, RunId
from storage.money import Price, Prices, usage
from tests.ingesting import House, notes, open_house

PRICES = Prices({"m": Price(1_000, 100, 10_000)}, "a test", "2026-11-25")
Open = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def house(database: Database) -> Open:
    @asynccontextmanager
    async def opened(gateway: Gateway | None, *specs: Spec) -> AsyncGenerator[House]:
        clock = StoppedClock()
        thinking = None
        if gateway is not None:
            thinking = Thinking(
                gateway=gateway, model="m", prices=PRICES, retries=RetryBudget(clock), clock=clock
            )
        async with open_house(database, *specs, thinking=thinking) as house:
            yield house

    return opened


async def shown(house: House, connection: Connection) -> dict[str, ArtifactRow]:
    async with house.services.database.reading() as tx:
        rows = await artifacts.page(
            tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=100
        )
    return {row.title: row for row in rows}


async def again(house: House, run_id: RunId) -> None:
    """The wait is over: another worker takes the run up."""
    async with house.services.database.transaction() as tx:
        await runs.wake(tx, run=run_id)
    await house.attempt(await house.claim())


async def test_a_model_reads_every_artifact_and_the_run_says_which(house: Open) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes("ant", "bee", "cat")
    async with house(gateway, spec) as there:
        connection = await there.connect("memory", {})

        run = await there.ingest(connection)

        rows = await shown(there, connection)
        state = await there.state(run.id)
    assert run.status is RunStatus.SUCCEEDED
    assert state["reader"] == {"producer": "read/1", "model": "m", "note": None}
    for name in ("ant", "bee", "cat"):
        reading = rows[name].reading
        assert reading is not None
        assert reading["summary"] == f"This note is about {name}."
        assert reading["facts"][0]["quote"] == f"This note is about {name}."
        assert (reading["model"], reading["kind"]) == ("m", "note")


async def test_what_it_took_is_in_the_counts_and_kept_by_component_and_model(house: Open) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes("ant", "bee")
    async with house(gateway, spec) as there:
        run = await there.ingest(await there.connect("memory", {}))

        async with there.services.database.reading() as tx:
            [row] = await usage.of_run(tx, LOCAL_TENANT, run.id)
    assert (row.component, row.model, row.calls) == ("read", "m", len(gateway.asked))
    assert row.cost_nanos == row.input_tokens * 1_000 + row.output_tokens * 10_000 > 0
    assert run.counts.cost_nanos == row.cost_nanos
    assert run.counts.model_calls == row.calls
    assert (run.counts.input_tokens, run.counts.output_tokens) == (
        row.input_tokens,
        row.output_tokens,
    )


async def test_a_key_set_later_has_read_what_was_not_and_only_that(house: Open) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    source, spec = notes("ant", "bee")
    async with house(None, spec) as there:
        connection = await there.connect("memory", {})
        without = await there.ingest(connection)
        told = (await there.state(without.id))["reader"]
    async with house(gateway, spec) as there:
        first = await there.ingest(connection)
        calls = len(gateway.asked)
        source.notes["cat"] = b"This note is about cat."
        second = await there.ingest(connection)
        rows = await shown(there, connection)

    assert (told["model"], without.counts.model_calls) == (None, 0)
    assert "No model" in told["note"]
    assert first.counts.processed == 2
    assert (second.counts.unchanged, second.counts.processed) == (2, 1)
    asked = [json.loads(call.content)["documents"] for call in gateway.asked[calls:]]
    assert [document["name"] for documents in asked for document in documents] == ["cat"]
    assert all(row.reading and row.reading["model"] == "m" for row in rows.values())


async def test_what_a_model_has_read_stays_when_the_key_is_taken_away(house: Open) -> None:
    source, spec = notes("ant", "bee")
    async with house(ScriptedGateway(otherwise=reads), spec) as there:
        connection = await there.connect("memory", {})
        await there.ingest(connection)
    source.notes["cat"] = b"This note is about cat."
    async with house(None, spec) as there:
        run = await there.ingest(connection)
        rows = await shown(there, connection)

    models = {name: (row.reading or {}).get("model") for name, row in rows.items()}
    assert (run.counts.unchanged, run.counts.processed) == (2, 1)
    assert models == {"ant": "m", "bee": "m", "cat": None}


async def test_a_copy_is_not_paid_for_again(house: Open, tmp_path: Path) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("The same words in both of them.")
        (tmp_path / folder / "b.txt").write_text("The same words in both of them.")
    async with house(gateway) as there:
        for folder in ("one", "two"):
            run = await there.ingest(await there.connect("local", {"path": str(tmp_path / folder)}))
            assert run.counts.processed == 2

    assert len(gateway.asked) == 1


async def test_another_profile_reads_again_and_fills_its_fields(house: Open) -> None:
    schema = {"type": "object", "properties": {"animal": {"type": "string"}}}

    def react(call: Call) -> Reaction:
        answer = reads(call)
        if call.schema is None or "extracted" not in json.dumps(call.schema.body):
            return answer
        assert not isinstance(answer, ModelError)
        documents = answer["documents"]
        return {"documents": [{**each, "extracted": {"animal": "ant"}} for each in documents]}

    _, spec = notes("ant")
    async with house(ScriptedGateway(otherwise=react), spec) as there:
        connection = await there.connect("memory", {})
        await there.ingest(connection)
        async with there.services.database.transaction() as tx:
            profile = {"instructions": "Name the animal.", "schema": schema}
            await connections.ask_for(tx, LOCAL_TENANT, connection.id, profile)
        run = await there.ingest(connection)
        rows = await shown(there, connection)

    assert run.counts.processed == 1
    assert rows["ant"].reading is not None
    assert rows["ant"].reading["extracted"] == {"animal": "ant"}


async def test_what_a_model_refuses_is_searchable_and_says_why(house: Open) -> None:
    def react(call: Call) -> Reaction:
        if "bee" in call.content:
            return Refused("The model will not answer this", model="m")
        return reads(call)

    _, spec = notes("ant", "bee")
    async with house(ScriptedGateway(otherwise=react), spec) as there:
        connection = await there.connect("memory", {})
        run = await there.ingest(connection)
        rows = await shown(there, connection)
        later = await there.ingest(connection)

    assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert (run.counts.processed, run.counts.unread) == (2, {"refused": 1})
    assert run.counts.adds_up
    bee = rows["bee"].reading
    assert bee is not None
    assert bee["summary"] == "This note is about bee."
    assert bee["unread"] == {
        "code": "refused",
        "message": "The model will not answer this",
        "action": Refused.action,
    }
    assert later.counts.unchanged == 2


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ProviderDown, "provider_down"),
        (KeyRefused, "input"),
        (AddressWrong, "input"),
        (ModelUnknown, "input"),
        (CreditExhausted, "budget"),
    ],
)
async def test_what_only_time_or_a_person_can_mend_makes_the_run_wait_and_fails_nothing(
    house: Open, kind: type[ModelError], code: str
) -> None:
    mended = False

    def react(call: Call) -> Reaction:
        return reads(call) if mended else kind("Something is wrong", model="m")

    _, spec = notes("ant", "bee")
    async with house(ScriptedGateway(otherwise=react), spec) as there:
        connection = await there.connect("memory", {})
        run_id = await there.request(connection)
        await there.attempt(await there.claim())
        waiting = await there.run(run_id)
        mended = True
        await again(there, run_id)
        run = await there.run(run_id)
        kinds = await there.kinds(run_id)

    assert waiting.status is RunStatus.WAITING
    assert waiting.reason is not None
    assert waiting.reason["code"] == code
    assert waiting.reason["action"] == kind.action
    assert (run.status, run.counts.processed, run.counts.failed) == (RunStatus.SUCCEEDED, 2, {})
    assert EventKind.ITEM_FAILED not in kinds


async def test_no_call_is_paid_twice_when_an_outage_comes_in_the_middle(house: Open) -> None:
    away = True
    paid: list[str] = []

    def react(call: Call) -> Reaction:
        names = [document["name"] for document in json.loads(call.content)["documents"]]
        if away and len(paid) > 8:
            return ProviderDown("away", model="m")
        paid.extend(names)
        return reads(call)

    names = [f"note {number:02}" for number in range(30)]
    _, spec = notes(*names)
    async with house(ScriptedGateway(otherwise=react), spec) as there:
        run_id = await there.request(await there.connect("memory", {}))
        await there.attempt(await there.claim())
        before = await there.run(run_id)
        away = False
        await again(there, run_id)
        run = await there.run(run_id)

    assert before.status is RunStatus.WAITING
    assert 0 < before.counts.processed < 30
    assert (run.status, run.counts.processed) == (RunStatus.SUCCEEDED, 30)
    assert sorted(paid) == names


async def test_a_budget_stops_the_next_call_and_raising_it_lets_the_run_go_on(house: Open) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes("ant")
    async with house(gateway, spec) as there:
        async with there.services.database.transaction() as tx:
            await usage.limit(tx, LOCAL_TENANT, usage.OF_RUN, 1_000)
        run_id = await there.request(await there.connect("memory", {}))
        await there.attempt(await there.claim())
        waiting = await there.run(run_id)
        asked = len(gateway.asked)
        async with there.services.database.transaction() as tx:
            await usage.limit(tx, LOCAL_TENANT, str(run_id), 10**12)
        await again(there, run_id)
        run = await there.run(run_id)

    assert (waiting.status, asked) == (RunStatus.WAITING, 0)
    assert waiting.reason is not None
    assert waiting.reason["code"] == "budget"
    assert (run.status, run.counts.processed) == (RunStatus.SUCCEEDED, 1)
