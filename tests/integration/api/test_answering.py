"""Answering what a run asks, over HTTP."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from api.client import AsyncClient, Client, Conflict, Invalid
from storage.database import Database
from storage.events import EventLog
from storage.ids import RunId, new_id
from tests.questioned import asks
from tests.serving import Served

SCHEMA = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
    "additionalProperties": False,
}
YES = {"question": "publish", "answer": {"approved": True}}


@pytest.fixture
async def run_id(database: Database, log: EventLog) -> RunId:
    """A run that asks whether to publish, and waits."""
    return await asks(database, log, SCHEMA, about={"pages": 3})


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


async def test_the_blocking_client_answers_and_is_told_what_is_wrong(
    served: Served, run_id: RunId
) -> None:
    def answer() -> tuple[str, str]:
        with Client(served.url) as client:
            with pytest.raises(Invalid) as wrong:
                client.answer(run_id, "publish", {"approved": "perhaps"})
            [error] = wrong.value.said.errors
            return error.field, client.answer(run_id, "publish", {"approved": True}).status

    assert await asyncio.to_thread(answer) == ("approved", "queued")
