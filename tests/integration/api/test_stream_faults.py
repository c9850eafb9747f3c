"""What breaks around a stream, and what its listeners see of it: never silence, never a lie."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from api.listening import Manner
from storage import embedded, runs
from storage.database import Database
from storage.embedded import EmbeddedRedis
from storage.events import EventKind, EventLog
from storage.ids import Seq
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog
from tests.integration.api.following import following, take
from tests.serving import Story, serving
from tests.sse import Told
from tests.waiting import wait_until

JSON = {"Accept": "application/json"}
SHORT = timedelta(milliseconds=100)
BRISK = Manner(quiet=timedelta(milliseconds=300), poll=SHORT)


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncGenerator[EmbeddedRedis]:
    """A Redis that the test may kill."""
    server = await embedded.ensure(tmp_path / "data")
    yield server
    await server.stop()


@pytest.fixture
async def mortal_log(mortal: EmbeddedRedis) -> AsyncGenerator[EventLog]:
    async with open_redis(mortal.url) as redis:
        yield RedisEventLog(redis)


async def test_quiet_stream_pings(database: Database, log: EventLog, story: Story) -> None:
    manner = Manner(ping=SHORT)
    path = f"/v1/runs/{story.run}/events"
    async with serving(database, log, manner=manner) as served, _client(served.url) as client:
        async with client.stream("GET", path) as sse:
            comments = [line async for line in _first(sse, 12) if line.startswith(":")]
        async with client.stream("GET", path, headers={"Accept": "application/x-ndjson"}) as lines:
            pings = [line async for line in _first(lines, 3)]

    assert set(comments) == {": ping"}
    assert pings[1:] == ['{"type":"ping"}'] * 2


async def test_old_stream_says_goodbye(database: Database, log: EventLog, story: Story) -> None:
    manner = Manner(age=SHORT)
    async with (
        serving(database, log, manner=manner) as served,
        _client(served.url) as client,
        following(client, story) as frames,
    ):
        told = [frame async for frame in frames]

    assert [(frame.event, frame.data.get("reason")) for frame in told[1:]] == [("goodbye", "age")]


async def test_server_that_stops_says_goodbye_and_is_gone_at_once(
    database: Database, log: EventLog, story: Story
) -> None:
    loop = asyncio.get_running_loop()
    async with _client("") as client:
        async with serving(database, log) as served:
            client.base_url = httpx.URL(served.url)
            async with following(client, story) as frames:
                await take(frames, 1)
                began = loop.time()
                served.server.should_exit = True
                told = [frame async for frame in frames]
        seconds = loop.time() - began

    assert [(frame.event, frame.data["reason"]) for frame in told] == [("goodbye", "shutdown")]
    assert seconds < 2


async def test_client_that_does_not_read_is_let_go_and_holds_nobody_up(
    database: Database, log: EventLog, story: Story
) -> None:
    await story.start()
    manner = Manner(send=timedelta(milliseconds=300), pending=8)
    async with serving(database, log, manner=manner) as served, _client(served.url) as client:
        hub = served.services.hub
        deaf = _connect_without_reading(served.url, f"/v1/runs/{story.run}/events")
        async with following(client, story) as frames:
            await take(frames, 1)
            await wait_until(lambda: hub.listeners == 2)
            for done in range(100):
                await story.tick(activity=f"{done:06}" * 20_000)
                await take(frames, 1)
            await wait_until(lambda: hub.listeners == 1)
        deaf.close()


async def test_flushed_redis_gives_a_gap_and_the_true_state(
    database: Database, mortal: EmbeddedRedis, mortal_log: EventLog
) -> None:
    story = await Story.begin(database, mortal_log)
    await story.start()
    async with (
        serving(database, mortal_log, manner=BRISK) as served,
        _client(served.url) as client,
        following(client, story) as frames,
    ):
        await take(frames, 1)
        await _flush(mortal)
        gap, snapshot = await take(frames, 2)
        seq = await story.tick(searchable=7)
        [event] = await take(frames, 1)

    assert (gap.event, snapshot.event) == ("gap", "snapshot")
    assert snapshot.data["state"]["status"] == "running"
    assert (event.id, event.data["patch"]) == (str(seq), {"searchable": 7})


async def test_milestone_that_nobody_told_comes_all_the_same(
    database: Database, log: EventLog, story: Story
) -> None:
    await story.start()
    async with (
        serving(database, log, manner=BRISK) as served,
        _client(served.url) as client,
        following(client, story) as frames,
    ):
        await take(frames, 1)
        await story.milestone(EventKind.QUERYABLE, told=False)
        [event] = await take(frames, 1)

    assert event.data["kind"] == "run.queryable"


async def test_without_redis_listeners_see_what_sql_knows_and_then_the_stream_again(
    database: Database, mortal: EmbeddedRedis, mortal_log: EventLog
) -> None:
    story = await Story.begin(database, mortal_log)
    async with (
        serving(database, mortal_log, manner=BRISK) as served,
        _client(served.url) as client,
        following(client, story) as frames,
    ):
        await take(frames, 1)
        await mortal.stop()
        await wait_until(lambda: served.services.hub.away)
        await _start_untold(story)
        from_sql = await _until_status(frames, "running")

        await mortal.start()
        await wait_until(lambda: not served.services.hub.away)
        gap, snapshot = await take(frames, 2)

    assert (from_sql.event, from_sql.id, from_sql.data["seq"]) == ("snapshot", "", None)
    assert (gap.event, snapshot.event) == ("gap", "snapshot")
    assert snapshot.data["state"]["status"] == "running"
    assert snapshot.id is not None


async def test_the_end_told_from_sql_comes_after_a_gap(
    database: Database, mortal: EmbeddedRedis, mortal_log: EventLog
) -> None:
    """To one that listens when Redis goes, to one that comes later, and as one document."""
    story = await Story.begin(database, mortal_log)
    await story.start()
    path = f"/v1/runs/{story.run}/events"
    async with serving(database, mortal_log, manner=BRISK) as served, _client(served.url) as client:
        async with following(client, story) as frames:
            [first] = await take(frames, 1)
            await mortal.stop()
            await wait_until(lambda: served.services.hub.away)
            await story.milestone(EventKind.SUCCEEDED, told=False)
            there = [frame async for frame in frames]
        async with following(client, story, cursor=first.id) as frames:
            later = [frame async for frame in frames]
        document = (await client.get(path, params={"cursor": first.id}, headers=JSON)).json()

    seen = Seq(int(first.id or ""))
    assert [frame.event for frame in there[-2:]] == ["gap", "snapshot"]
    assert there[-2].data == {"from": seen + 1, "to": there[-1].data["seq"]}
    assert [frame.event for frame in later] == ["gap", "snapshot"]
    assert later[0].data == there[-2].data
    assert [frame["type"] for frame in document["frames"]] == ["gap", "snapshot"]
    assert document["ended"]


async def test_a_run_whose_end_nobody_told_is_over_for_whoever_looks(
    database: Database, log: EventLog
) -> None:
    """Its worker died between the last commit and telling it; nobody has listened since."""
    stories = []
    async with serving(database, log) as served, _client(served.url) as client:
        for number in range(3):
            stories.append(await Story.begin(database, log, path=f"/notes/{number}"))
            await stories[-1].start()
            await stories[-1].milestone(EventKind.SUCCEEDED, told=False)
        streamed, polled, read = stories

        async with following(client, streamed) as frames:
            told = [frame async for frame in frames]
        run = (await client.get(f"/v1/runs/{polled.run}")).json()
        path = f"/v1/runs/{read.run}/events?cursor=2"
        document = (await client.get(path, headers=JSON)).json()

    assert [frame.data["state"]["status"] for frame in told] == ["succeeded"]
    assert run["status"] == "succeeded"
    assert [frame["kind"] for frame in document["frames"]] == ["run.succeeded"]
    assert document["ended"]


async def test_run_that_ends_without_redis_ends_its_streams_for_good(
    database: Database, mortal: EmbeddedRedis, mortal_log: EventLog
) -> None:
    story = await Story.begin(database, mortal_log)
    await story.start()
    async with serving(database, mortal_log, manner=BRISK) as served, _client(served.url) as client:
        async with following(client, story) as frames:
            await take(frames, 1)
            await mortal.stop()
            await wait_until(lambda: served.services.hub.away)
            await story.milestone(EventKind.SUCCEEDED, told=False)
            told = [frame async for frame in frames]
        again = await client.get(
            f"/v1/runs/{story.run}/events", headers={"Last-Event-ID": told[-1].id or ""}
        )
        await mortal.start()
        await wait_until(lambda: not served.services.hub.away)
        later = await client.get(
            f"/v1/runs/{story.run}/events", headers={"Last-Event-ID": told[-1].id or ""}
        )

    assert (told[-1].event, told[-1].data["ended"]) == ("snapshot", True)
    assert told[-1].data["state"]["status"] == "succeeded"
    assert again.status_code == 204
    assert later.status_code == 204


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=10, trust_env=False)


async def _first(response: httpx.Response, count: int) -> AsyncGenerator[str]:
    async for line in response.aiter_lines():
        yield line
        count -= 1
        if count == 0:
            return


async def _until_status(frames: AsyncIterator[Told], status: str) -> Told:
    async for frame in frames:
        if frame.data.get("state", {}).get("status") == status:
            return frame
    raise AssertionError("the stream ended")


async def _start_untold(story: Story) -> None:
    async with story.database.transaction() as tx:
        [run] = await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=1)
    story.attempt = run.attempt
    await story.milestone(EventKind.STARTED, told=False)


async def _flush(server: EmbeddedRedis) -> None:
    async with open_redis(server.url) as redis:
        await redis.flushall()


def _connect_without_reading(url: str, path: str) -> socket.socket:
    target = httpx.URL(url)
    deaf = socket.create_connection((target.host, target.port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: {target.host}\r\n\r\n".encode())
    return deaf
