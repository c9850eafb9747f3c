"""All cards of an owner's page on one connection, over a real socket."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from redis.asyncio import Redis

from api.cursors import seal
from storage.database import Database
from storage.events import EventLog
from storage.ids import Seq
from tests.integration.api.following import SSE, take
from tests.serving import Served, Story
from tests.sse import Told, told

OF_ADA = {"owner": "ada"}


@asynccontextmanager
async def page(
    client: httpx.AsyncClient, *, cursor: str | None = None
) -> AsyncGenerator[AsyncIterator[Told]]:
    headers = SSE if cursor is None else {**SSE, "Last-Event-ID": cursor}
    async with client.stream("GET", "/v1/events", params=OF_ADA, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield told(response)


@pytest.fixture
async def other(story: Story, database: Database, log: EventLog) -> Story:
    """A second run of the same owner, newer than ``story``."""
    return await Story.begin(database, log, path="/mail")


def runs_of(frame: Told) -> list[str]:
    return [each["run_id"] for each in frame.data["runs"]]


def of(frame: Told) -> tuple[str, str]:
    return frame.event, frame.data["run_id"]


async def test_a_page_gets_a_snapshot_of_each_run_and_then_what_happens_in_all(
    client: httpx.AsyncClient, story: Story, other: Story
) -> None:
    async with page(client) as frames:
        cards, *snapshots = await take(frames, 3)
        await story.start()
        [started] = await take(frames, 1)
        await other.start()
        [other_started] = await take(frames, 1)

    assert (cards.event, runs_of(cards)) == ("cards", [str(other.run), str(story.run)])
    assert sorted(map(of, snapshots)) == sorted(
        [("snapshot", str(story.run)), ("snapshot", str(other.run))]
    )
    assert (of(started), started.data["kind"]) == (("event", str(story.run)), "run.started")
    assert of(other_started) == ("event", str(other.run))


async def test_a_reload_goes_on_where_the_page_was_in_every_run(
    client: httpx.AsyncClient, story: Story, other: Story
) -> None:
    await story.start()
    await other.start()
    async with page(client) as frames:
        last = (await take(frames, 3))[-1]
    await story.tick(searchable=3)
    await other.tick(searchable=4)

    async with page(client, cursor=last.id) as frames:
        cards, *events = await take(frames, 3)

    assert cards.event == "cards"
    assert {of(each): each.data["patch"] for each in events} == {
        ("event", str(story.run)): {"searchable": 3},
        ("event", str(other.run)): {"searchable": 4},
    }


async def test_who_was_away_too_long_in_one_run_gets_a_gap_there_and_events_elsewhere(
    client: httpx.AsyncClient, story: Story, other: Story
) -> None:
    await story.start()
    await other.start()
    async with page(client) as frames:
        last = (await take(frames, 3))[-1]
    for done in range(60):  # the log of these tests keeps 50
        await story.tick(searchable=done)
    await other.tick(searchable=4)

    async with page(client, cursor=last.id) as frames:
        _, *rest = await take(frames, 4)

    mine = [each for each in rest if each.data["run_id"] == str(story.run)]
    others = [each for each in rest if each.data["run_id"] == str(other.run)]
    assert [each.event for each in mine] == ["gap", "snapshot"]
    assert mine[0].data["from"] == 3
    assert mine[0].id is None
    assert [each.event for each in others] == ["event"]


async def test_a_run_that_begins_while_the_page_is_open_is_a_new_card(
    client: httpx.AsyncClient, story: Story
) -> None:
    body = {"kind": "local", "owner": "ada", "config": {"path": "/tmp"}}  # noqa: S108  # exists
    connection = (await client.post("/v1/connections", json=body)).json()["id"]
    async with page(client) as frames:
        first, _ = await take(frames, 2)

        started = await client.post(f"/v1/connections/{connection}/runs")
        cards, snapshot = await take(frames, 2)

    new = started.json()["run"]["id"]
    assert runs_of(first) == [str(story.run)]
    assert runs_of(cards) == [new, str(story.run)]
    assert of(snapshot) == ("snapshot", new)


async def test_a_run_that_is_over_keeps_its_card_and_is_not_told_again(
    client: httpx.AsyncClient, story: Story, other: Story
) -> None:
    await story.start()
    async with page(client) as frames:
        await take(frames, 3)
        await story.end()
        [end] = await take(frames, 1)
    async with page(client, cursor=end.id) as frames:
        [cards] = await take(frames, 1)
        await other.start()
        [next_] = await take(frames, 1)

    assert end.data["kind"] == "run.succeeded"
    assert str(story.run) in runs_of(cards)
    assert of(next_) == ("event", str(other.run))


async def test_redis_lost_under_an_open_page_is_a_gap_and_a_snapshot_of_the_run(
    client: httpx.AsyncClient, story: Story, redis: Redis
) -> None:
    await story.start()
    async with page(client) as frames:
        await take(frames, 2)
        await redis.flushall()
        await story.relay.publish(story.run)
        await story.tick(searchable=9)
        rest = await take(frames, 2)

    assert [each.event for each in rest] == ["gap", "snapshot"]
    assert rest[-1].data["state"]["status"] == "running"


async def test_as_json_it_is_what_there_is_now(client: httpx.AsyncClient, story: Story) -> None:
    await story.start()
    asking = {"Accept": "application/json"}

    first = (await client.get("/v1/events", params=OF_ADA, headers=asking)).json()
    await story.tick(searchable=2)
    again = (
        await client.get("/v1/events", params={**OF_ADA, "cursor": first["cursor"]}, headers=asking)
    ).json()

    assert [each["type"] for each in first["frames"]] == ["cards", "snapshot"]
    assert [(each["type"], each.get("patch")) for each in again["frames"]] == [
        ("cards", None),
        ("event", {"searchable": 2}),
    ]
    assert again["frames"][1]["run_id"] == str(story.run)


async def test_lines_carry_the_run_and_a_cursor_to_go_on_from(
    client: httpx.AsyncClient, story: Story
) -> None:
    accept = {"Accept": "application/x-ndjson"}
    async with client.stream("GET", "/v1/events", params=OF_ADA, headers=accept) as response:
        lines = response.aiter_lines()
        cards, snapshot = [json.loads(await anext(lines)) for _ in range(2)]

    assert (cards["type"], snapshot["type"]) == ("cards", "snapshot")
    assert snapshot["run_id"] == str(story.run)
    place = {**OF_ADA, "cursor": snapshot["cursor"]}
    now = await client.get("/v1/events", params=place, headers={"Accept": "application/json"})
    assert [each["type"] for each in now.json()["frames"]] == ["cards"]


async def test_a_page_without_runs_is_open_and_hears_that_the_server_stops(
    served: Served, client: httpx.AsyncClient
) -> None:
    async with page(client) as frames:
        [cards] = await take(frames, 1)
        served.services.part("shutdown")
        [goodbye] = await take(frames, 1)

    assert runs_of(cards) == []
    assert (goodbye.event, goodbye.data["reason"]) == ("goodbye", "shutdown")


async def test_a_place_of_somebody_else_in_the_cursor_shows_nothing_of_it(
    client: httpx.AsyncClient, story: Story
) -> None:
    async with client.stream(
        "GET",
        "/v1/events",
        params={"owner": "bob"},
        headers={**SSE, "Last-Event-ID": seal({story.run: Seq(0)})},
    ) as response:
        [cards] = await take(told(response), 1)

    assert runs_of(cards) == []


@pytest.mark.parametrize("cursor", ["7", "nonsense", "AZNvLwKqfBGODWstnk96IQ-1"])
async def test_what_is_no_cursor_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    response = await client.get("/v1/events", params={**OF_ADA, "cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


async def test_an_owner_has_to_be_named(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/events")).status_code == 422
