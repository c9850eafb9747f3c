"""Answering what a run asks, over HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.client import AsyncClient, Conflict
from storage import questions, runs
from storage.database import Database
from storage.events import Event, EventKind, EventLog
from storage.ids import LOCAL_TENANT, RunId, new_id
from storage.relay import Relay
from tests.serving import Served

SCHEMA = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
    "additionalProperties": False,
}
YES = {"question": "publish", "answer": {"approved": True}}


@pytest.fixture
async def run_id(served: Served, database: Database, log: EventLog) -> RunId:
    """A run that asks whether to publish, and waits."""
    async with database.transaction() as tx:
        await runs.ask(tx, LOCAL_TENANT, workflow="write", title="Write", input={})
        [run] = await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=1)
        await questions.ask(tx, LOCAL_TENANT, run.id, "publish", SCHEMA)
        await runs.park(tx, run.id, run.attempt, until=None)
        question = {"name": "publish", "answer_schema": SCHEMA, "about": {"pages": 3}}
        reason = {"code": "input", "message": "Publish?", "action": "Answer.", "until": None}
        waiting = Event(
            kind=EventKind.WAITING,
            at=datetime.now(UTC),
            attempt=run.attempt,
            patch={"reason": {**reason, "question": question}},
        )
        await runs.record(tx, run.id, waiting)
    await Relay(database, log).publish(run.id)
    return run.id


async def test_a_run_that_waits_says_what_it_asks(client: httpx.AsyncClient, run_id: RunId) -> None:
    run = (await client.get(f"/v1/runs/{run_id}")).json()

    assert (run["status"], run["reason"]["question"]["answer_schema"]) == ("waiting", SCHEMA)


async def test_an_answer_lets_it_go_on(client: httpx.AsyncClient, run_id: RunId) -> None:
    response = await client.post(f"/v1/runs/{run_id}/input", json=YES)

    assert response.status_code == 202
    assert (response.json()["status"], response.json()["reason"]) == ("queued", None)
    assert (await client.get(f"/v1/runs/{run_id}")).json()["status"] == "queued"


async def test_saying_it_again_changes_nothing_and_something_else_is_refused(
    client: httpx.AsyncClient, run_id: RunId
) -> None:
    await client.post(f"/v1/runs/{run_id}/input", json=YES)

    again = await client.post(f"/v1/runs/{run_id}/input", json=YES)
    other = await client.post(
        f"/v1/runs/{run_id}/input", json={**YES, "answer": {"approved": False}}
    )

    assert again.status_code == 202
    assert (other.status_code, other.json()["code"]) == (409, "answered_already")


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({**YES, "answer": {"approved": "perhaps"}}, 422, "approved"),
        ({**YES, "answer": {"approved": True, "by": "me"}}, 422, "body"),
        ({**YES, "answer": True}, 422, "body.answer"),
        ({"answer": {"approved": True}}, 422, "body.question"),
        ({**YES, "question": "sell"}, 409, "not_asked"),
    ],
)
async def test_what_is_no_answer_is_told_and_the_run_waits_on(
    client: httpx.AsyncClient, run_id: RunId, body: Mapping[str, Any], status: int, told: str
) -> None:
    response = await client.post(f"/v1/runs/{run_id}/input", json=body)

    problem = response.json()
    assert response.status_code == status
    assert told in {problem["code"], *(each["field"] for each in problem.get("errors", []))}
    assert (await client.get(f"/v1/runs/{run_id}")).json()["status"] == "waiting"


async def test_nobody_answers_for_a_run_that_is_not_there(
    client: httpx.AsyncClient, run_id: RunId
) -> None:
    response = await client.post(f"/v1/runs/{new_id()}/input", json=YES)

    assert response.status_code == 404


async def test_the_client_answers_and_knows_a_refusal(served: Served, run_id: RunId) -> None:
    async with AsyncClient(served.url) as client:
        run = await client.answer(run_id, "publish", {"approved": True})

        with pytest.raises(Conflict):
            await client.answer(run_id, "publish", {"approved": False})

    assert run.status == "queued"
