"""Workflows over HTTP: what there is, asking for it, and what it says; over a real socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from redis.asyncio import Redis

from storage import outputs, results, runs, tenants, workflows
from storage.connections import Connection
from storage.database import Database
from storage.events import Event, EventKind, EventLog
from storage.ids import Attempt, RunId, new_id
from storage.outputs import OutputLog, Piece
from storage.relay import Relay
from storage.results import Result
from storage.streams.redis import Channel, RedisEventLog
from storage.workflows import Published
from tests.integration.api.following import SSE, take
from tests.serving import Served, serving
from tests.sse import Told, told
from tests.waiting import wait_until

GREETING = Published(
    name="greet",
    version=1,
    title="A greeting",
    description="Greets whoever is named.",
    input_schema={
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "connection_id": {"type": "string", "format": "uuid"},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    output_schema={"type": "object", "properties": {"greeting": {"type": "string"}}},
)


@pytest.fixture
def output_log(redis: Redis) -> OutputLog:
    return OutputLog(RedisEventLog(redis, channel=Channel.OUTPUT))


@pytest.fixture
async def served(database: Database, log: EventLog, redis: Redis) -> AsyncGenerator[Served]:
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        await workflows.publish(tx, [GREETING])
    raw = RedisEventLog(redis, channel=Channel.OUTPUT)
    async with serving(database, log, output_log=raw) as served:
        yield served


@pytest.fixture
def laborer(database: Database, log: EventLog, output_log: OutputLog) -> "Laborer":
    return Laborer(database, log, output_log)


@dataclass(slots=True)
class Laborer:
    """Does what a worker does at a workflow's run, as the test says."""

    database: Database
    log: EventLog
    output: OutputLog
    said: list[Piece] = field(default_factory=list[Piece])

    async def take(self) -> tuple[RunId, Attempt]:
        async with self.database.transaction() as tx:
            [run] = await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=1)
            await runs.record(tx, run.id, _event(EventKind.STARTED, run.attempt, activity="…"))
        await Relay(self.database, self.log).publish(run.id)
        return run.id, run.attempt

    async def speak(self, run: RunId, attempt: Attempt, *texts: str) -> None:
        position = await self.output.position(run)
        number = position.milestones + 1 if position else 1
        again = number > 1
        await self.output.append(
            run, outputs.began(attempt, at=_now(), again=again), milestone=number
        )
        for place, text in enumerate(texts):
            piece = Piece(place, EventKind.OUTPUT_DELTA, text)
            await self.output.append(run, outputs.said(attempt, piece, at=_now()))

    async def finish(
        self, run: RunId, attempt: Attempt, result: Result, *, dies: bool = False
    ) -> None:
        """``dies``: after the commit, before it could end the output's stream."""
        last = _event(EventKind.SUCCEEDED, attempt)
        async with self.database.transaction() as tx:
            row = await runs.find(tx, run)
            assert row is not None
            await results.keep(tx, row.tenant, run, result)
            await runs.record(tx, run, last)
        await Relay(self.database, self.log).publish(run)
        if not dies:
            patch = {"status": "succeeded", "output": result.output}
            await self.output.append(
                run,
                outputs.ended(EventKind.SUCCEEDED, attempt, at=_now(), patch=patch),
                milestone=2,
            )

    async def fail(self, run: RunId, attempt: Attempt, message: str) -> None:
        reason = {"code": "stage_failed", "message": message, "action": "Ask again.", "until": None}
        async with self.database.transaction() as tx:
            await runs.record(tx, run, _event(EventKind.FAILED, attempt, reason=reason))
        await Relay(self.database, self.log).publish(run)


async def test_the_catalogue_is_what_workers_published(client: httpx.AsyncClient) -> None:
    listed = await client.get("/v1/workflows")
    shown = await client.get("/v1/workflows/greet")

    assert [each["name"] for each in listed.json()["items"]] == ["greet"]
    assert shown.json()["input_schema"] == GREETING.input_schema


async def test_an_unknown_workflow_is_not_found_with_what_to_do(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/workflows/sing", json={})

    assert response.status_code == 404
    assert response.json()["action"].startswith("GET /v1/workflows")


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "body"), ({"name": 7}, "name"), ({"name": "Ada", "age": 7}, "body")],
)
async def test_an_input_that_does_not_fit_is_told_field_by_field(
    client: httpx.AsyncClient, given: Mapping[str, Any], field: str
) -> None:
    response = await client.post("/v1/workflows/greet/runs", json=given)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_starting_answers_at_once_with_the_run(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/workflows/greet/runs", json={"name": "Ada"})

    assert response.status_code == 202
    run = response.json()["run"]
    assert (run["status"], run["workflow"], run["title"]) == ("queued", "greet", "A greeting")
    assert response.headers["Location"] == f"/v1/runs/{run['id']}"


async def test_each_start_is_a_run_of_its_own_but_a_key_names_one(
    client: httpx.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "once"}

    one, other, same, again = [
        (
            await client.post("/v1/workflows/greet/runs", json={"name": "Ada"}, headers=headers)
        ).json()
        for headers in ({}, {}, key, key)
    ]

    assert len({one["run"]["id"], other["run"]["id"], same["run"]["id"]}) == 3
    assert again == same


async def test_who_waits_gets_the_result(client: httpx.AsyncClient, laborer: Laborer) -> None:
    asking = asyncio.create_task(
        client.post("/v1/workflows/greet", json={"name": "Ada"}, headers={"Prefer": "wait=20"})
    )
    run, attempt = await _taken(laborer)
    await laborer.finish(
        run, attempt, Result(text="", items=[], output={"greeting": "Hello, Ada"}), dies=True
    )

    response = await asking

    assert (response.status_code, response.json()) == (200, {"greeting": "Hello, Ada"})
    assert response.headers["Location"] == f"/v1/runs/{run}"


async def test_who_will_not_wait_longer_gets_the_run(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/workflows/greet", json={"name": "Ada"}, headers={"Prefer": "wait=0"}
    )

    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "wait=0"
    assert response.json()["run"]["status"] == "queued"


async def test_a_run_that_fails_is_a_problem_with_its_reason(
    client: httpx.AsyncClient, laborer: Laborer
) -> None:
    asking = asyncio.create_task(client.post("/v1/workflows/greet", json={"name": "Ada"}))
    run, attempt = await _taken(laborer)
    await laborer.fail(run, attempt, "Nobody is at home.")

    response = await asking

    assert response.status_code == 502
    problem = response.json()
    assert (problem["code"], problem["detail"]) == ("run_failed", "Nobody is at home.")
    assert problem["run_id"] == str(run)


async def test_output_is_followed_as_it_comes_to_its_end(
    client: httpx.AsyncClient, laborer: Laborer
) -> None:
    run, attempt = await _started(client, laborer)
    async with output_of(client, run) as frames:
        [snapshot] = await take(frames, 1)
        await laborer.speak(run, attempt, "Hello, ", "Ada")
        began, first, second = await take(frames, 3)
        await laborer.finish(run, attempt, Result(text="Hello, Ada", items=[], output={"n": 1}))
        [last] = await take(frames, 1)
        rest = [frame async for frame in frames]

    assert snapshot.data["state"]["text"] == ""
    assert began.data["kind"] == "output.began"
    assert [each.data["data"]["text"] for each in (first, second)] == ["Hello, ", "Ada"]
    assert (last.data["kind"], last.data["patch"]["output"]) == ("run.succeeded", {"n": 1})
    assert rest == []


async def test_a_reload_gets_all_that_was_said_and_goes_on_with_what_follows(
    client: httpx.AsyncClient, laborer: Laborer
) -> None:
    run, attempt = await _started(client, laborer)
    await laborer.speak(run, attempt, "Hello, ", "Ada")

    async with output_of(client, run) as frames:
        [snapshot] = await take(frames, 1)
    async with output_of(client, run, cursor="2") as frames:
        [event] = await take(frames, 1)

    assert snapshot.data["state"]["text"] == "Hello, Ada"
    assert (event.id, event.data["data"]) == ("3", {"text": "Ada"})


async def test_what_a_dead_attempt_said_is_taken_back_before_readers_eyes(
    client: httpx.AsyncClient, laborer: Laborer
) -> None:
    run, attempt = await _started(client, laborer)
    async with output_of(client, run) as frames:
        await take(frames, 1)
        await laborer.speak(run, attempt, "Hel")
        await take(frames, 2)

        await laborer.speak(run, Attempt(attempt + 1), "Hello")
        superseded, delta = await take(frames, 2)

    assert superseded.data["kind"] == "attempt.superseded"
    assert superseded.data["patch"]["text"] == ""
    assert delta.data["data"] == {"text": "Hello"}


async def test_a_result_outlives_redis(
    client: httpx.AsyncClient, laborer: Laborer, redis: Redis
) -> None:
    run, attempt = await _started(client, laborer)
    await laborer.speak(run, attempt, "Hello, Ada")
    await laborer.finish(
        run, attempt, Result(text="Hello, Ada", items=[1], output={"n": 1}), dies=True
    )
    await redis.flushall()

    now = (await client.get(f"/v1/runs/{run}/output")).json()
    async with output_of(client, run) as frames:
        told_again = [frame async for frame in frames]

    assert (now["text"], now["items"], now["output"]) == ("Hello, Ada", [1], {"n": 1})
    assert [frame.data["state"]["output"] for frame in told_again] == [{"n": 1}]


async def test_who_has_seen_the_end_of_the_output_is_told_not_to_return(
    client: httpx.AsyncClient, laborer: Laborer
) -> None:
    run, attempt = await _started(client, laborer)
    await laborer.speak(run, attempt, "Hello")
    await laborer.finish(run, attempt, Result(text="Hello", items=[], output=None))

    response = await client.get(f"/v1/runs/{run}/output", headers={**SSE, "Last-Event-ID": "3"})

    assert response.status_code == 204


async def test_a_run_about_a_connection_belongs_to_it(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    given = {"name": "Ada", "connection_id": str(connection.id)}

    mine = await client.post("/v1/workflows/greet/runs", json=given)
    nobodys = await client.post(
        "/v1/workflows/greet/runs", json={**given, "connection_id": str(new_id())}
    )

    assert mine.json()["run"]["connection_id"] == str(connection.id)
    assert nobodys.status_code == 404


async def test_the_document_has_an_operation_for_each_workflow(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    operation = document["paths"]["/v1/workflows/greet"]["post"]
    assert operation["operationId"] == "run_workflow_greet"
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == GREETING.input_schema
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == (
        GREETING.output_schema
    )


@asynccontextmanager
async def output_of(
    client: httpx.AsyncClient, run: RunId, *, cursor: str | None = None
) -> AsyncGenerator[AsyncIterator[Told]]:
    headers = SSE if cursor is None else {**SSE, "Last-Event-ID": cursor}
    async with client.stream("GET", f"/v1/runs/{run}/output", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield told(response)


async def _started(client: httpx.AsyncClient, laborer: Laborer) -> tuple[RunId, Attempt]:
    response = await client.post("/v1/workflows/greet/runs", json={"name": "Ada"})
    run, attempt = await laborer.take()
    assert UUID(response.json()["run"]["id"]) == run
    return run, attempt


async def _taken(laborer: Laborer) -> tuple[RunId, Attempt]:
    async def is_queued() -> bool:
        async with laborer.database.reading() as tx:
            return bool((await tx.exec_driver_sql("SELECT 1 FROM runs")).first())

    await wait_until(is_queued)
    return await laborer.take()


def _event(kind: EventKind, attempt: Attempt, **patch: Any) -> Event:
    return Event(kind=kind, at=_now(), attempt=attempt, patch=patch)


def _now() -> datetime:
    return datetime.now(UTC)
