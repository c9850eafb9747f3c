"""Milestones come out of SQL into the stream: all of them, once, in order, whatever happened."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage import milestones, runs
from storage.clock import now
from storage.connections import Connection
from storage.counts import Counts
from storage.database import Database
from storage.errors import AttemptFenced, MilestoneAhead, StreamLost, StreamUnavailable
from storage.events import Event, EventKind, Gap, Position, Recorded, Snapshot
from storage.ids import RunId, Seq, TenantId, new_id
from storage.readers import follow
from storage.relay import LEAP, Relay
from storage.runs import Run
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog
from tests.holding import Held


@pytest.fixture
def log(redis: Redis) -> RedisEventLog:
    return RedisEventLog(redis)


@pytest.fixture
def relay(database: Database, log: RedisEventLog) -> Relay:
    return Relay(database, log, page=3)


@pytest.fixture
async def run(database: Database, tenant: TenantId, connection: Connection) -> Run:
    async with database.transaction() as tx:
        run, _ = await runs.request(tx, tenant, connection=connection, workflow="ingest", input={})
    return run


@pytest.fixture
async def claimed(database: Database, relay: Relay, run: Run) -> Run:
    """A run that an attempt is at, and that was told so far."""
    await relay.publish(run.id)
    return await claim(database)


async def test_a_new_run_s_stream_begins_at_one(relay: Relay, log: RedisEventLog, run: Run) -> None:
    seq = await relay.publish(run.id)

    snapshot = await log.snapshot(run.id)
    assert seq == 1
    assert snapshot is not None
    assert snapshot.as_of == 1
    assert snapshot.state["status"] == "queued"


async def test_publishing_again_changes_nothing(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED)
    first = await relay.publish(claimed.id)

    again = await relay.publish(claimed.id)

    assert again == first == 2
    assert len((await log.since(claimed.id, Seq(0))).events) == 2


async def test_many_at_once_tell_everything_once(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    for n in range(10):
        await record(relay.database, claimed, EventKind.ITEM_FAILED, data={"n": n})

    await asyncio.gather(*(relay.publish(claimed.id) for _ in range(4)))

    events = (await log.since(claimed.id, Seq(0))).events
    assert [each.milestone for each in events] == list(range(1, 12))
    assert [each.event.data.get("n") for each in events] == [None, *range(10)]


async def test_milestones_that_were_never_told_come_before_the_next_attempt_s(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await relay.publish(claimed.id)
    await record(relay.database, claimed, EventKind.STARTED)  # it dies before it can tell it
    taken_over = await claim(relay.database)
    with pytest.raises(MilestoneAhead):
        await log.append(claimed.id, happening(taken_over, EventKind.PROGRESS))

    await relay.publish(claimed.id)

    events = (await log.since(claimed.id, Seq(0))).events
    assert [each.event.kind for each in events] == ["run.queued", "run.started", "attempt.lost"]
    assert await log.append(claimed.id, happening(taken_over, EventKind.PROGRESS)) == 4
    with pytest.raises(AttemptFenced):
        await log.append(claimed.id, happening(claimed, EventKind.PROGRESS))


async def test_a_lost_stream_begins_again_far_above_with_what_sql_knows(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED, patch={"activity": "reading"})
    await relay.publish(claimed.id)
    async with relay.database.transaction() as tx:
        await runs.save(
            tx, claimed.id, claimed.attempt, counts=Counts(found=7, processed=7), seq=Seq(40)
        )
    await log.redis.flushall()

    seq = await relay.publish(claimed.id)

    snapshot = await log.snapshot(claimed.id)
    assert seq == LEAP
    assert snapshot is not None
    assert snapshot.as_of == LEAP
    assert snapshot.state["activity"] == "reading"
    assert snapshot.state["status"] == "running"
    assert snapshot.state["counts"]["processed"] == 7
    assert await log.append(claimed.id, happening(claimed, EventKind.PROGRESS)) == LEAP + 1


async def test_a_lost_stream_begins_again_no_lower_than_ticks_have_told(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    """Ticks are in no table: what they told is kept with the counts of the commit they tell of."""
    await record(relay.database, claimed, EventKind.STARTED, patch={"stages": [], "searchable": 1})
    await relay.publish(claimed.id)
    moved = {"stages": [{"key": "tidy", "done": 3}], "searchable": 5}
    async with relay.database.transaction() as tx:
        await runs.save(tx, claimed.id, claimed.attempt, counts=Counts(), seq=Seq(2), moved=moved)
    await log.append(claimed.id, happening(claimed, EventKind.PROGRESS, patch=moved))
    await log.redis.flushall()

    await relay.publish(claimed.id)

    snapshot = await log.snapshot(claimed.id)
    assert snapshot is not None
    assert {key: snapshot.state[key] for key in moved} == moved


async def test_what_moved_since_the_last_milestone_and_nobody_told_is_told(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    """SQL shows it while Redis is away; a stream that comes back must not be older than that."""
    await record(relay.database, claimed, EventKind.STARTED)
    await relay.publish(claimed.id)
    moved = {"stages": [{"key": "find", "done": 7}], "searchable": 5}
    counts = Counts(found=7, processed=6)
    async with relay.database.transaction() as tx:
        await runs.save(tx, claimed.id, claimed.attempt, counts=counts, seq=Seq(2), moved=moved)

    seqs = [await relay.publish(claimed.id) for _ in range(2)]

    [tick] = (await log.since(claimed.id, Seq(2))).events
    assert tick.event.kind is EventKind.PROGRESS
    assert tick.event.patch == {**moved, "counts": counts.to_json()}
    assert seqs == [3, 3]


async def test_what_moved_is_told_also_where_the_next_attempt_comes_in_between(
    database: Database, redis: Redis, claimed: Run
) -> None:
    """One that publishes for the next attempt is half done: a reader must not see that half."""
    log = Held(redis)
    await record(database, claimed, EventKind.STARTED)
    await Relay(database, RedisEventLog(redis)).publish(claimed.id)
    async with database.transaction() as tx:
        counts = Counts(found=7, processed=7)
        await runs.save(tx, claimed.id, claimed.attempt, counts=counts, seq=Seq(2))

    publishing = asyncio.create_task(Relay(database, log).publish(claimed.id))
    await log.asked.wait()  # it has read the run
    await claim(database)
    async with database.reading() as tx:
        [(number, lost)] = await milestones.after(tx, claimed.id, 2)
    await RedisEventLog(redis).append(claimed.id, lost, milestone=number)
    log.go.set()
    await publishing

    snapshot = await log.snapshot(claimed.id)
    assert snapshot is not None
    assert lost.kind is EventKind.ATTEMPT_LOST
    assert snapshot.state["counts"]["found"] == 7


async def test_no_seq_of_a_lost_stream_returns(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED)
    told = [await relay.publish(claimed.id)]

    for _ in range(3):  # and SQL hears of none of it from the worker
        await log.redis.flushall()
        told.append(await relay.publish(claimed.id))
        told.append(await log.append(claimed.id, happening(claimed, EventKind.PROGRESS)))

    assert told == [2, LEAP, LEAP + 1, 2 * LEAP, 2 * LEAP + 1, 3 * LEAP, 3 * LEAP + 1]


async def test_many_that_mend_a_lost_stream_agree(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED)
    await relay.publish(claimed.id)
    await log.redis.flushall()

    await asyncio.gather(*(relay.publish(claimed.id) for _ in range(4)))

    position = await log.position(claimed.id)
    assert position is not None
    assert position.milestones == 2
    assert await log.append(claimed.id, happening(claimed, EventKind.PROGRESS)) == position.seq + 1


async def test_a_stream_that_is_behind_what_sql_saw_of_it_begins_again(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED)
    await relay.publish(claimed.id)
    async with relay.database.transaction() as tx:
        await runs.save(tx, claimed.id, claimed.attempt, counts=Counts(), seq=Seq(3))

    seq = await relay.publish(claimed.id)

    assert seq == LEAP
    assert not (await log.since(claimed.id, Seq(2))).complete


async def test_a_lost_stream_of_a_finished_run_is_begun_again_at_its_end(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.SUCCEEDED)
    await relay.publish(claimed.id)
    await log.redis.flushall()

    await relay.publish(claimed.id)

    frames = [frame async for frame in follow(log, claimed.id, cursor=Seq(1))]
    assert isinstance(frames[0], Gap)
    assert isinstance(frames[1], Snapshot)
    assert frames[1].state["status"] == "succeeded"
    assert frames[1].ended


async def test_a_stream_begins_again_with_counts_as_new_as_its_milestones(
    database: Database, redis: Redis, claimed: Run
) -> None:
    """The end comes while a lost stream is begun again: it is not told with what was before it."""
    log = Asked(redis)
    relay = Relay(database, log)
    await record(database, claimed, EventKind.STARTED)
    await relay.publish(claimed.id)
    await redis.flushall()
    log.asked.clear()
    stages = [{"key": "tidy", "done": 1}]
    async with database.transaction() as tx:
        begun = asyncio.create_task(relay.publish(claimed.id))
        await log.asked.wait()  # the run was read before, and its row is ours until the commit
        await runs.save(
            tx,
            claimed.id,
            claimed.attempt,
            counts=Counts(found=7, processed=7),
            seq=Seq(0),
            moved={"stages": stages},
        )
        end = happening(claimed, EventKind.SUCCEEDED, patch={"stages": stages})
        await runs.record(tx, claimed.id, end)
    await begun

    snapshot = await log.snapshot(claimed.id)
    assert snapshot is not None
    assert snapshot.ended
    assert snapshot.state["stages"] == stages
    assert snapshot.state["counts"]["found"] == 7


async def test_a_reader_sees_one_end_through_a_loss(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED)
    await relay.publish(claimed.id)
    frames = follow(log, claimed.id)
    first = await anext(frames)

    await log.redis.flushall()
    await relay.publish(claimed.id)
    await record(relay.database, claimed, EventKind.SUCCEEDED)
    await relay.publish(claimed.id)

    rest = [frame async for frame in frames]
    assert isinstance(first, Snapshot)
    assert isinstance(rest[0], Gap)
    ends = [frame for frame in rest if isinstance(frame, Recorded)]
    assert len(ends) + sum(frame.ended for frame in rest if isinstance(frame, Snapshot)) == 1


async def test_the_worker_goes_on_after_a_loss(
    relay: Relay, log: RedisEventLog, claimed: Run
) -> None:
    await record(relay.database, claimed, EventKind.STARTED)
    await relay.publish(claimed.id)
    await log.redis.flushall()
    with pytest.raises(StreamLost):
        await log.append(claimed.id, happening(claimed, EventKind.PROGRESS))

    await relay.publish(claimed.id)

    assert await log.append(claimed.id, happening(claimed, EventKind.PROGRESS)) == LEAP + 1


async def test_an_unknown_run_is_none(relay: Relay, log: RedisEventLog) -> None:
    unknown = RunId(new_id())

    assert await relay.publish(unknown) is None
    assert await log.position(unknown) is None


async def test_without_redis_it_says_so_and_sql_keeps_everything(
    database: Database, redis_url: str, claimed: Run
) -> None:
    await record(database, claimed, EventKind.STARTED)
    async with open_redis("redis://127.0.0.1:1/0") as nobody:
        with pytest.raises(StreamUnavailable):
            await Relay(database, RedisEventLog(nobody)).publish(claimed.id)

    async with open_redis(redis_url) as redis:
        await Relay(database, RedisEventLog(redis)).publish(claimed.id)
        snapshot = await RedisEventLog(redis).snapshot(claimed.id)

    assert snapshot is not None
    assert snapshot.state["status"] == "running"


@dataclass
class Asked(RedisEventLog):
    """Says when somebody asks how far a stream has come."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def position(self, run: RunId) -> Position | None:
        self.asked.set()
        return await super().position(run)


def happening(
    run: Run,
    kind: EventKind,
    *,
    data: Mapping[str, object] | None = None,
    patch: Mapping[str, object] | None = None,
) -> Event:
    return Event(kind=kind, at=now(), attempt=run.attempt, data=data or {}, patch=patch or {})


async def record(
    database: Database,
    run: Run,
    kind: EventKind,
    *,
    data: Mapping[str, object] | None = None,
    patch: Mapping[str, object] | None = None,
) -> None:
    async with database.transaction() as tx:
        await runs.record(tx, run.id, happening(run, kind, data=data, patch=patch))


async def claim(database: Database) -> Run:
    """By a worker whose lease is over at once, so that another may claim it again."""
    async with database.transaction() as tx:
        [run] = await runs.claim(tx, worker="worker", lease=timedelta(seconds=-1), limit=1)
    return run
