"""After a restore Redis knows more than the database: no reader is told two stories under a seq."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from pipelines.aftermath import Aftermath
from storage import backup, outputs, runs
from storage.backup.aftermath import settle
from storage.backup.epoch import ATTEMPTS
from storage.database import Database, open_database
from storage.errors import AttemptFenced
from storage.events import Event, EventKind
from storage.ids import Attempt, RunId, Seq
from storage.outputs import OutputLog, Piece
from storage.relay import Relay
from storage.streams.redis import Channel, RedisEventLog
from tests.serving import Story, asking

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "headwater.tar"


@pytest.fixture
def log(redis: Redis) -> RedisEventLog:
    return RedisEventLog(redis)


@asynccontextmanager
async def restored(database: Database, file: Path) -> AsyncGenerator[Database]:
    await database.close()
    await backup.restore(database.url, file, keyring=None)
    async with open_database(database.url) as again:
        yield again


async def take(database: Database, file: Path) -> None:
    await backup.take(database, file, version="0.1.0")


async def begun(database: Database, log: RedisEventLog) -> Story:
    """A run that a worker is at, whose lease is over soon."""
    story = await Story.begin(database, log)
    story.attempt = await claim(database)
    await story.milestone(EventKind.STARTED, activity="Looking")
    await story.tick(activity="Reading the first")
    return story


async def claim(database: Database) -> Attempt:
    async with database.transaction() as tx:
        (run,) = await runs.claim(tx, worker="w", lease=timedelta(0), limit=10)
    return run.attempt


async def told(database: Database, log: RedisEventLog, run: RunId, cursor: int) -> dict[str, Any]:
    async with asking(database, log) as web:
        path = f"/v1/runs/{run}/events?cursor={cursor}"
        answer = await web.get(path, headers={"Accept": "application/json"})
    body: dict[str, Any] = answer.json()
    return body


async def test_a_reader_of_what_was_undone_gets_a_gap_and_the_state_of_the_database(
    database: Database, log: RedisEventLog, file: Path
) -> None:
    story = await begun(database, log)
    await take(database, file)
    last = await story.tick(activity="Reading the last")
    await story.end()
    before = await told(database, log, story.run, last)

    async with restored(database, file) as again:
        after = await told(again, log, story.run, last + 1)
        behind = await told(again, log, story.run, 2)

    assert before["ended"]
    assert [frame["type"] for frame in after["frames"]] == ["gap", "snapshot"]
    assert after["frames"][1]["state"]["status"] == "running"
    assert after["frames"][1]["state"]["activity"] == "Looking"
    assert not after["ended"]
    assert after["cursor"] > last + 1
    assert behind["frames"][1] == after["frames"][1]


async def test_no_number_is_told_twice_when_the_run_goes_on(
    database: Database, log: RedisEventLog, file: Path
) -> None:
    story = await begun(database, log)
    await take(database, file)
    for number in range(5):
        await story.milestone(EventKind.ITEM_FAILED, activity=f"undone {number}")
    seen = {each.seq for each in (await log.since(story.run, Seq(0))).events}

    async with restored(database, file) as again:
        relay = Relay(again, log)
        place = await relay.publish(story.run)
        attempt = await claim(again)
        await relay.publish(story.run)
        events = (await log.since(story.run, place or Seq(0))).events

    assert attempt == story.attempt + ATTEMPTS + 1
    assert [each.event.kind for each in events] == [EventKind.ATTEMPT_LOST]
    assert seen.isdisjoint(each.seq for each in events)
    assert not (await log.since(story.run, max(seen))).complete


async def test_who_was_at_the_run_in_the_time_that_was_undone_writes_nothing(
    database: Database, log: RedisEventLog, file: Path
) -> None:
    story = await begun(database, log)
    await take(database, file)
    async with database.transaction() as tx:
        await runs.release(tx, story.run, story.attempt)
    late = await claim(database)
    await story.relay.publish(story.run)

    async with restored(database, file) as again:
        await claim(again)
        await Relay(again, log).publish(story.run)
        tick = Event(kind=EventKind.PROGRESS, at=NOW, attempt=late, patch={"activity": "undone"})
        with pytest.raises(AttemptFenced):
            await log.append(story.run, tick)
        with pytest.raises(AttemptFenced):
            async with again.transaction() as tx:
                await runs.lock(tx, story.run, late)


async def test_a_restore_of_the_same_backup_twice_leaves_no_number_to_chance(
    database: Database, log: RedisEventLog, file: Path
) -> None:
    story = await begun(database, log)
    await take(database, file)
    async with restored(database, file) as again:
        first = await Relay(again, log).publish(story.run)
        async with restored(again, file) as twice:
            second = await Relay(twice, log).publish(story.run)

    assert first is not None
    assert second is not None
    assert second > first


async def test_what_an_open_run_had_said_is_taken_back(
    database: Database, redis: Redis, log: RedisEventLog, file: Path
) -> None:
    said = OutputLog(RedisEventLog(redis, channel=Channel.OUTPUT))
    story = await begun(database, log)
    await take(database, file)
    await speak(said, story.run, story.attempt, "undone", number=1)
    last = outputs.ended(EventKind.SUCCEEDED, story.attempt, at=NOW, patch={"output": 1})
    end = await said.append(story.run, last, milestone=2)

    async with restored(database, file) as again:
        relay = Relay(again, log)
        await Aftermath(again, relay, said).settle()
        once_more = await settle(again, relay, said)
        snapshot = await said.snapshot(story.run)
        await speak(said, story.run, await claim(again), "anew", number=3)
        now = await said.snapshot(story.run)

    assert not once_more
    assert snapshot is not None
    assert now is not None
    assert not snapshot.ended
    assert snapshot.as_of > end
    assert (snapshot.state["text"], now.state["text"]) == ("", "anew")


async def speak(said: OutputLog, run: RunId, attempt: Attempt, text: str, *, number: int) -> None:
    await said.append(run, outputs.began(attempt, at=NOW, again=number > 1), milestone=number)
    piece = Piece(0, EventKind.OUTPUT_DELTA, text)
    await said.append(run, outputs.said(attempt, piece, at=NOW))
