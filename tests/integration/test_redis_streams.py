"""What only Redis can do to us: restart, forget, refuse, fill up, hang; and what we leave there."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from storage import embedded
from storage.embedded import EmbeddedRedis
from storage.errors import SetupError, StreamLost, StreamUnavailable
from storage.events import Event, EventKind, Recorded
from storage.ids import Attempt, RunId, Seq, new_id
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog
from storage.wakeup import RedisWakeup
from tests.waiting import turn

TICK = Event(kind=EventKind.PROGRESS, at=datetime.now(UTC), attempt=Attempt(0), patch={"done": 1})
QUEUED = Event(kind=EventKind.QUEUED, at=datetime.now(UTC), attempt=Attempt(0), patch={"done": 0})


@pytest.fixture
def run() -> RunId:
    return RunId(new_id())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[EmbeddedRedis]:
    """One of this test's own, to be mistreated."""
    server = await embedded.ensure(tmp_path)
    yield server
    await server.stop()


async def test_no_key_lives_for_ever(redis: Redis, run: RunId) -> None:
    log = RedisEventLog(redis)
    await log.append(run, QUEUED, milestone=1)
    await log.append(run, TICK)
    seeded = RunId(new_id())
    await log.seed(seeded, {}, seq=Seq(9), milestones=1, attempt=Attempt(0), ended=False)
    await RedisWakeup(redis).ring()

    lives = {key: await redis.ttl(key) async for key in redis.scan_iter("*")}

    assert set(lives) == {
        f"hw:{{{run}}}:events",
        f"hw:{{{run}}}:state",
        f"hw:{{{seeded}}}:state",
        "hw:wakeup",
    }
    assert all(0 < seconds <= 7 * 24 * 3600 for seconds in lives.values())


async def test_the_entry_s_id_is_the_seq(redis: Redis, run: RunId) -> None:
    await RedisEventLog(redis).append(run, QUEUED, milestone=1)

    entries = await redis.xrange(f"hw:{{{run}}}:events")

    assert [entry for entry, _ in entries or ()] == ["1-0"]


async def test_a_server_that_forgot_the_scripts_is_taught_again(redis: Redis, run: RunId) -> None:
    log = RedisEventLog(redis)
    await log.append(run, QUEUED, milestone=1)

    await redis.script_flush()

    assert await log.append(run, TICK) == 2


async def test_a_fail_over_that_lost_the_tail_does_not_give_a_seq_twice(
    redis: Redis, run: RunId
) -> None:
    log = RedisEventLog(redis)
    await log.append(run, QUEUED, milestone=1)
    keys = [f"hw:{{{run}}}:events", f"hw:{{{run}}}:state"]
    replica = {key: await redis.dump(key) for key in keys}
    await log.append(run, TICK)
    await log.append(run, TICK)
    for key, value in replica.items():
        assert value is not None
        await redis.restore(key, 60_000, value, replace=True)

    with pytest.raises(StreamLost):
        await log.append(run, TICK)

    assert await log.position(run) is None


@pytest.mark.parametrize("turns", range(12))
async def test_a_wait_that_is_cancelled_ends_at_once_and_spoils_no_answer(
    redis: Redis, run: RunId, turns: int
) -> None:
    log = RedisEventLog(redis)
    await log.append(run, QUEUED, milestone=1)
    waiting = asyncio.create_task(log.tail({run: Seq(1)}, patience_seconds=30))
    for _ in range(turns):  # into whatever the client does at that moment
        await turn()

    waiting.cancel()
    await asyncio.wait({waiting}, timeout=5)

    assert waiting.cancelled()
    assert await log.append(run, TICK) == 2
    assert (await log.since(run, Seq(1))).events == (Recorded(Seq(2), TICK, None),)


async def test_the_log_goes_on_where_it_was_when_the_server_was_killed(
    server: EmbeddedRedis, run: RunId
) -> None:
    async with open_redis(server.url) as redis:
        log = RedisEventLog(redis)
        await log.append(run, QUEUED, milestone=1)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        with pytest.raises(StreamUnavailable):
            await log.append(run, TICK)

        await server.restart()

        assert await log.append(run, TICK) == 2
        assert [each.seq for each in (await log.since(run, Seq(0))).events] == [1, 2]


async def test_a_full_server_takes_nothing_and_says_what_to_do(
    server: EmbeddedRedis, run: RunId
) -> None:
    async with open_redis(server.url) as redis:
        log = RedisEventLog(redis)
        await log.append(run, QUEUED, milestone=1)
        await redis.config_set("maxmemory", "1")

        with pytest.raises(StreamUnavailable) as refused:
            await log.append(run, TICK)

        assert "maxmemory" in refused.value.action
        await redis.config_set("maxmemory", "0")
        assert await log.append(run, TICK) == 2


async def test_a_replica_says_that_it_is_one(server: EmbeddedRedis, run: RunId) -> None:
    async with open_redis(server.url) as redis:
        await redis.replicaof("127.0.0.1", "1")

        with pytest.raises(StreamUnavailable) as refused:
            await RedisEventLog(redis).append(run, QUEUED, milestone=1)

        assert "primary" in refused.value.action


async def test_a_server_that_hangs_is_noticed(server: EmbeddedRedis, run: RunId) -> None:
    async with open_redis(server.url) as redis:
        log = RedisEventLog(redis, answer_seconds=0.1)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGSTOP)

        with pytest.raises(StreamUnavailable, match="does not answer"):
            await log.append(run, QUEUED, milestone=1)

        os.kill(server.process.pid, signal.SIGCONT)


async def test_a_wrong_password_is_named_and_no_password_is_shown(
    server: EmbeddedRedis, run: RunId
) -> None:
    password = server.url.split(":")[2].partition("@")[0]
    async with open_redis(server.url.replace(password, "s3cret")) as redis:
        with pytest.raises(StreamUnavailable) as refused:
            await RedisEventLog(redis).position(run)

    assert "password" in refused.value.action
    assert "s3cret" not in f"{refused.value!r} {refused.value.__cause__!r} {server!r}"
    assert password not in f"{refused.value!r} {refused.value.__cause__!r} {server!r}"


async def test_nobody_there_is_said_with_the_address(run: RunId) -> None:
    async with open_redis("redis://:s3cret@127.0.0.1:1/0") as redis:
        with pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1:1 ") as refused:
            await RedisEventLog(redis).tail({run: Seq(0)}, patience_seconds=1)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://:s3cret@there", "redis://:s3cret/x@there:6379", "s3cret"])
async def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SetupError) as refused:
        async with open_redis(url):
            pass

    assert "HEADWATER_REDIS_URL" in str(refused.value)
    assert "s3cret" not in f"{refused.value} {refused.value.action}"
    assert refused.value.__suppress_context__
