"""The client against a real server: typed answers, typed refusals, and a stream that goes on."""

import asyncio
from pathlib import Path

import pytest

from api.client import AsyncClient, Client, Conflict, Invalid, NotFound, ServerAway
from api.frames import EventFrame, SnapshotFrame, StreamFrame, after
from storage.database import Database
from storage.events import EventLog
from storage.ids import new_id
from tests.serving import Served, Story, serving
from tests.waiting import wait_until


async def test_both_clients_say_the_same(served: Served, tmp_path: Path) -> None:
    async with AsyncClient(served.url) as client:
        connection = await client.connect("local", {"path": str(tmp_path)}, title="Mine")
        started = await client.start(connection.id)
        awaited = [
            await client.connectors(),
            await client.run(started.run.id),
            await client.receipt(started.run.id),
            await client.search("anything"),
            await client.ready(),
            [each async for each in client.runs()],
            [each async for each in client.connections()],
            [each async for each in client.artifacts(started.run.id)],
        ]

    def blocking() -> list[object]:
        with Client(served.url) as client:
            return [
                client.connectors(),
                client.run(started.run.id),
                client.receipt(started.run.id),
                client.search("anything"),
                client.ready(),
                list(client.runs()),
                list(client.connections()),
                list(client.artifacts(started.run.id)),
            ]

    assert await asyncio.to_thread(blocking) == awaited


async def test_both_clients_keep_webhooks(served: Served) -> None:
    url = "https://example.com/"
    async with AsyncClient(served.url) as client:
        made = await client.webhooks.create(url, events=["run.failed"])
        rotated = await client.webhooks.rotate(made.id, overlap_hours=1)
        test = await client.webhooks.test(made.id)
        told = [each async for each in client.webhooks.deliveries(made.id, status="pending")]
        replayed = await client.webhooks.replay_failed(made.id, test.created_at)
        shown = await client.webhooks.get(made.id)

    def blocking() -> list[object]:
        with Client(served.url) as client:
            seen = [list(client.webhooks.list()), list(client.webhooks.deliveries(made.id))]
            client.webhooks.replay(made.id, test.id)
            changed = client.webhooks.change(made.id, url=url, enabled=False)
            with pytest.raises(Conflict):
                client.webhooks.test(made.id)
            client.webhooks.delete(made.id)
            return [*seen, changed.enabled, list(client.webhooks.list())]

    assert len({made.secret, rotated.secret}) == 2
    assert (told, replayed.replayed) == ([test], 0)
    assert await asyncio.to_thread(blocking) == [[shown], [test], False, []]


async def test_following_goes_on_after_the_server_was_restarted(
    database: Database, log: EventLog, story: Story
) -> None:
    await story.start()
    frames: list[StreamFrame] = []

    async def follow(client: AsyncClient) -> None:
        async for frame in client.follow(story.run):
            frames.append(frame)  # noqa: PERF401  # seen as they come

    async with serving(database, log) as served:
        port = int(served.url.rpartition(":")[2])
        client = AsyncClient(served.url)
        follower = asyncio.create_task(follow(client))
        await wait_until(lambda: bool(frames))
        await story.tick(searchable=1)
    await story.tick(searchable=2)
    async with serving(database, log, port=port) as served:
        await wait_until(lambda: served.services.hub.listeners == 1)
        await story.tick(searchable=3)
        await story.end()
        await follower
    await client.close()

    assert isinstance(frames[0], SnapshotFrame)
    events = [frame for frame in frames if isinstance(frame, EventFrame)]
    assert [event.seq for event in events][-4:] == [3, 4, 5, 6]
    state: dict[str, object] = {}
    for frame in frames:
        state = after(state, frame)
    assert (state["searchable"], state["status"]) == (3, "succeeded")


async def test_following_an_ended_run_from_its_end_gives_nothing(
    served: Served, story: Story
) -> None:
    await story.start()
    await story.end()

    async with AsyncClient(served.url) as client:
        frames = [frame async for frame in client.follow(story.run, cursor=3)]

    assert frames == []


async def test_refusals_carry_the_servers_words(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        with pytest.raises(NotFound) as missing:
            await client.run(new_id())
        with pytest.raises(Invalid) as invalid:
            await client.connect("gopher", {})
        with pytest.raises(NotFound):
            [frame async for frame in client.follow(new_id())]

    assert "There is no run" in str(missing.value)
    assert missing.value.said.request_id
    assert (invalid.value.code, invalid.value.action) == (
        "unknown_connector",
        "GET /v1/connectors lists them.",
    )


async def test_nobody_at_the_address_is_told_at_once() -> None:
    async with AsyncClient("http://127.0.0.1:1", patience_seconds=0.1) as client:
        with pytest.raises(ServerAway) as away:
            await client.ready()
        with pytest.raises(ServerAway):
            [frame async for frame in client.follow(new_id())]

    assert "http://127.0.0.1:1" in str(away.value)
    assert away.value.action
