"""Following a run over a real socket: from any point, in any format, to the end."""

import asyncio
import json

import httpx
import pytest
from redis.asyncio import Redis

from storage.database import Database
from storage.events import EventKind
from storage.ids import new_id
from storage.streams.redis import RedisEventLog
from tests.integration.api.following import SSE, following, ids, take
from tests.serving import Served, Story, serving
from tests.waiting import wait_until


async def test_newcomer_gets_a_snapshot_and_then_what_happens(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    async with following(client, story) as frames:
        [snapshot] = await take(frames, 1)

        await story.tick(searchable=3)
        [event] = await take(frames, 1)

    assert (snapshot.event, snapshot.id) == ("snapshot", "2")
    assert snapshot.data["state"]["status"] == "running"
    assert (event.event, event.id, event.data["patch"]) == ("event", "3", {"searchable": 3})


async def test_last_event_id_goes_on_with_the_next_seq(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    for done in range(5):
        await story.tick(searchable=done)

    async with following(client, story, cursor="4") as frames:
        assert await ids(frames, 3) == ["5", "6", "7"]


async def test_a_cursor_in_the_url_is_a_last_event_id(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    response = await client.get(
        f"/v1/runs/{story.run}/events?cursor=1", headers={"Accept": "application/json"}
    )

    assert [frame["seq"] for frame in response.json()["frames"]] == [2]


async def test_trimmed_id_gets_a_gap_and_a_snapshot(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    for done in range(60):  # the log of these tests keeps 50
        await story.tick(searchable=done)

    async with following(client, story, cursor="3") as frames:
        gap, snapshot = await take(frames, 2)
        await story.tick(searchable=61)
        [event] = await take(frames, 1)

    assert (gap.event, gap.id, dict(gap.data)) == ("gap", None, {"from": 4, "to": 62})
    assert (snapshot.event, snapshot.id) == ("snapshot", "62")
    assert event.id == "63"


async def test_id_from_the_future_gets_a_gap_and_a_snapshot(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    async with following(client, story, cursor="9000") as frames:
        gap, snapshot = await take(frames, 2)

    assert (gap.event, snapshot.event, snapshot.id) == ("gap", "snapshot", "2")


async def test_who_is_far_behind_gets_the_state_instead_of_the_history(
    database: Database, redis: Redis
) -> None:
    log = RedisEventLog(redis)
    story = await Story.begin(database, log)
    await story.start()
    for done in range(1_100):
        await story.tick(searchable=done)

    async with (
        serving(database, log) as served,
        httpx.AsyncClient(base_url=served.url) as client,
        following(client, story, cursor="3") as frames,
    ):
        gap, snapshot = await take(frames, 2)

    assert (gap.event, snapshot.id) == ("gap", "1102")


async def test_five_reconnects_give_each_event_once(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    seen: list[str | None] = ["2"]
    for reconnect in range(5):
        async with following(client, story, cursor=seen[-1]) as frames:
            await story.tick(searchable=reconnect)
            await story.tick(searchable=reconnect)
            seen += await ids(frames, 2)
        await story.tick(activity="while nobody listens")

    async with following(client, story, cursor=seen[-1]) as frames:
        seen += await ids(frames, 5)

    assert seen == [str(seq) for seq in range(2, 18)]


async def test_everybody_who_joins_while_it_happens_gets_each_event_once(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    async def listen() -> list[str | None]:
        async with following(client, story, cursor="0") as frames:
            return [frame.id async for frame in frames]

    listeners = []
    for done in range(40):
        await story.tick(searchable=done)
        listeners.append(asyncio.create_task(listen()))
    await story.end()

    everything = [str(seq) for seq in range(1, 44)]
    assert [await each for each in listeners] == [everything] * 40


async def test_stream_closes_after_the_terminal_event_and_a_reconnect_gets_204(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    async with following(client, story) as frames:
        await take(frames, 1)
        await story.end()
        rest = [frame async for frame in frames]

    again = await client.get(
        f"/v1/runs/{story.run}/events", headers={**SSE, "Last-Event-ID": rest[-1].id or ""}
    )

    assert [frame.data["kind"] for frame in rest] == ["run.succeeded"]
    assert (again.status_code, again.content) == (204, b"")


async def test_newcomer_to_an_ended_run_gets_its_last_state_and_no_more(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    await story.end()

    async with following(client, story) as frames:
        [only] = [frame async for frame in frames]

    assert (only.event, only.data["ended"]) == ("snapshot", True)
    assert only.data["state"]["status"] == "succeeded"


async def test_lines_of_json_carry_the_same_frames(client: httpx.AsyncClient, story: Story) -> None:
    await story.start()
    await story.milestone(EventKind.QUERYABLE)
    await story.end()
    async with following(client, story, cursor="2") as frames:
        expected = [{"type": frame.event, **frame.data} async for frame in frames]

    response = await client.get(
        f"/v1/runs/{story.run}/events?cursor=2", headers={"Accept": "application/x-ndjson"}
    )

    assert [json.loads(line) for line in response.text.splitlines()] == expected
    assert response.headers["content-type"] == "application/x-ndjson"


async def test_one_json_document_tells_what_there_is_now(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    first = await client.get(f"/v1/runs/{story.run}/events", headers={"Accept": "application/json"})
    nothing_new = await client.get(
        f"/v1/runs/{story.run}/events?cursor=2", headers={"Accept": "application/json"}
    )

    assert [frame["type"] for frame in first.json()["frames"]] == ["snapshot"]
    assert first.json()["cursor"] == 2
    assert nothing_new.json() == {"frames": [], "cursor": 2, "ended": False}


async def test_stream_begins_with_how_to_reconnect_and_forbids_buffering(
    client: httpx.AsyncClient, story: Story
) -> None:
    async with client.stream("GET", f"/v1/runs/{story.run}/events", headers=SSE) as response:
        first = await anext(response.aiter_lines())

    assert first == "retry: 3000"
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_a_client_that_leaves_is_noticed(
    client: httpx.AsyncClient, served: Served, story: Story
) -> None:
    async with following(client, story) as frames:
        await take(frames, 1)
        assert served.services.hub.listeners == 1

    await wait_until(lambda: served.services.hub.listeners == 0)


@pytest.mark.parametrize("cursor", ["abc", "-1", "1.5", "٣", "9" * 30, "1-0"])
async def test_what_is_no_cursor_is_refused(
    client: httpx.AsyncClient, story: Story, cursor: str
) -> None:
    response = await client.get(f"/v1/runs/{story.run}/events", params={"cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


async def test_type_that_is_not_offered_is_refused(client: httpx.AsyncClient, story: Story) -> None:
    response = await client.get(
        f"/v1/runs/{story.run}/events", headers={"Accept": "application/pdf"}
    )

    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


async def test_run_that_does_not_exist_is_not_followed(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/runs/{new_id()}/events", headers=SSE)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
