"""Asking a run to stop, to pause, to go on, to try again: over a socket, as a product does."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from api.client import AsyncClient, Client, Conflict, NotFound
from api.frames import EventFrame
from storage import runs
from storage.database import Database
from storage.events import EventKind, EventLog
from storage.ids import new_id
from storage.runs import Wish
from tests.asked import failed, found
from tests.serving import Served, Story, serving


async def ask(client: httpx.AsyncClient, story: Story, what: str, **headers: str) -> httpx.Response:
    return await client.post(f"/v1/runs/{story.run}/{what}", headers=headers)


async def state(client: httpx.AsyncClient, story: Story) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get(f"/v1/runs/{story.run}")).json()
    return answer


@pytest.fixture
async def ended(story: Story) -> Story:
    """A run that is over, with one failure."""
    await story.start()
    await failed(story.database, await found(story.database, story.run))
    await story.milestone(EventKind.SUCCEEDED_WITH_FAILURES)
    return story


@pytest.fixture
async def elsewhere(database: Database, log: EventLog) -> AsyncGenerator[httpx.AsyncClient]:
    """Another replica of the api."""
    async with (
        serving(database, log) as served,
        httpx.AsyncClient(base_url=served.url, timeout=10, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(("what", "status"), [("cancel", "cancelled"), ("pause", "paused")])
async def test_a_queued_run_stops_at_once(
    client: httpx.AsyncClient, story: Story, what: str, status: str
) -> None:
    first, again = await ask(client, story, what), await ask(client, story, what)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["title"]) == (status, "Notes")
    assert first.headers["location"] == f"/v1/runs/{story.run}"
    assert (await state(client, story))["status"] == status


@pytest.mark.parametrize("what", ["cancel", "pause"])
async def test_of_a_run_at_work_everybody_sees_at_once_what_was_asked(
    client: httpx.AsyncClient, elsewhere: httpx.AsyncClient, story: Story, what: str
) -> None:
    await story.start()
    before = await elsewhere.get(f"/v1/runs/{story.run}")

    answer = await ask(client, story, what)
    after = await elsewhere.get(
        f"/v1/runs/{story.run}", headers={"If-None-Match": before.headers["etag"]}
    )

    assert (answer.json()["status"], answer.json()["wish"]) == ("running", what)
    assert (after.status_code, after.json()["wish"]) == (200, what)
    async with story.database.reading() as tx:
        (held,) = await runs.held(tx, worker="w")
    assert held.wish is Wish(what)


async def test_what_was_asked_is_in_the_stream_and_gone_when_it_is_done(
    served: Served, story: Story
) -> None:
    await story.start()
    async with AsyncClient(served.url) as client:
        await client.cancel(story.run)
        await story.milestone(EventKind.CANCELLED, **runs.CANCELLED)
        frames = [frame async for frame in client.follow(story.run, cursor=0)]
        after = await client.run(story.run)

    told = [frame for frame in frames if isinstance(frame, EventFrame)]
    assert [each.kind for each in told][-2:] == ["run.wished", "run.cancelled"]
    assert [each.patch["wish"] for each in told[-2:]] == ["cancel", None]
    assert (after.status, after.wish) == ("cancelled", None)
    assert after.activity == "Cancelled: what was indexed is kept"


async def test_asking_wakes_the_workers(
    client: httpx.AsyncClient, served: Served, story: Story
) -> None:
    waiting = asyncio.create_task(served.services.wakeup.wait(30))

    await ask(client, story, "pause")

    async with asyncio.timeout(20):
        await waiting


async def test_a_paused_run_goes_on(client: httpx.AsyncClient, story: Story) -> None:
    await ask(client, story, "pause")

    resumed, again = await ask(client, story, "resume"), await ask(client, story, "resume")

    assert resumed.json() == again.json()
    assert (resumed.status_code, resumed.json()["status"]) == (202, "queued")


async def test_a_pause_is_taken_back(client: httpx.AsyncClient, story: Story) -> None:
    await story.start()
    await ask(client, story, "pause")

    resumed = await ask(client, story, "resume")

    assert (resumed.json()["status"], resumed.json()["wish"]) == ("running", None)
    assert (await state(client, story))["wish"] is None


@pytest.mark.parametrize("what", ["cancel", "pause", "resume"])
async def test_a_run_that_is_over_takes_nothing_more(
    client: httpx.AsyncClient, ended: Story, what: str
) -> None:
    before = await state(client, ended)

    refused = await ask(client, ended, what)

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "run_ended")
    assert f"nothing to {what}" in problem["detail"]
    assert problem["action"]
    assert await state(client, ended) == before


@pytest.mark.parametrize("what", ["pause", "resume"])
async def test_a_run_that_is_being_cancelled_takes_nothing_else(
    client: httpx.AsyncClient, story: Story, what: str
) -> None:
    await story.start()
    await ask(client, story, "cancel")

    refused = await ask(client, story, what)

    assert (refused.status_code, refused.json()["code"]) == (409, "run_stopping")


@pytest.mark.parametrize("what", ["cancel", "pause", "resume", "retry-failed"])
async def test_a_run_that_does_not_exist_is_not_found(client: httpx.AsyncClient, what: str) -> None:
    for run in (new_id(), "latest"):
        refused = await client.post(f"/v1/runs/{run}/{what}")

        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_what_failed_is_tried_again_in_one_new_run(
    client: httpx.AsyncClient, ended: Story
) -> None:
    answers = await asyncio.gather(*(ask(client, ended, "retry-failed") for _ in range(5)))

    assert {answer.status_code for answer in answers} == {202}
    (new,) = {answer.json()["run"]["id"] for answer in answers}
    assert new != str(ended.run)
    assert answers[0].headers["location"] == f"/v1/runs/{new}"
    json = {"Accept": "application/json"}
    told = await client.get(answers[0].json()["events_url"], params={"cursor": 0}, headers=json)
    assert [frame["kind"] for frame in told.json()["frames"]] == ["run.queued"]


async def test_nothing_is_tried_again_before_the_end(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    refused = await ask(client, story, "retry-failed")

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "run_unfinished")
    assert problem["retryable"]


async def test_where_nothing_failed_nothing_is_tried_again(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    await story.end()

    refused = await ask(client, story, "retry-failed")

    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_failed")


async def test_the_same_key_asks_once(client: httpx.AsyncClient, story: Story) -> None:
    key = {"Idempotency-Key": "stop"}
    first = await ask(client, story, "pause", **key)
    await ask(client, story, "resume")

    again = await ask(client, story, "pause", **key)

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert (await state(client, story))["status"] == "queued"


async def test_both_clients_ask_and_are_refused_the_same(served: Served, ended: Story) -> None:
    def blocking() -> object:
        with Client(served.url) as client:
            new = client.retry_failed(ended.run).run
            answers = [client.pause(new.id), client.resume(new.id), client.cancel(new.id)]
            with pytest.raises(Conflict) as refused:
                client.pause(new.id)
            return [answer.status for answer in answers], refused.value.code

    async with AsyncClient(served.url) as client:
        new = (await client.retry_failed(ended.run)).run
        answers = [await client.pause(new.id), await client.resume(new.id)]
        answers.append(await client.cancel(new.id))
        with pytest.raises(Conflict) as refused:
            await client.pause(new.id)
        with pytest.raises(NotFound):
            await client.cancel(new_id())

    expected = (["paused", "queued", "cancelled"], "run_ended")
    assert ([answer.status for answer in answers], refused.value.code) == expected
    assert await asyncio.to_thread(blocking) == expected
