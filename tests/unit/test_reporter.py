"""The reporter holds no work up, tells the latest, and catches up by itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.context import Retrying, SystemClock
from pipelines.progress import Progress
from pipelines.reporter import Reporter
from storage import runs
from storage.connections import Connection
from storage.counts import Counts
from storage.database import Database
from storage.errors import StreamUnavailable
from storage.events import Event, EventKind
from storage.ids import LOCAL_TENANT, Attempt, RunId, Seq
from storage.relay import Relay
from storage.runs import Run
from storage.streams.memory import MemoryEventLog
from tests.marks import on_sqlite
from tests.waiting import wait_until

pytestmark = on_sqlite


@dataclass(slots=True)
class Flaky(MemoryEventLog):
    """A log whose server can be away."""

    away: bool = field(default=False)
    refused: int = field(default=0)

    async def append(self, run: RunId, event: Event, *, milestone: int | None = None) -> Seq:
        if self.away:
            self.refused += 1
            raise StreamUnavailable("away")
        return await MemoryEventLog.append(self, run, event, milestone=milestone)


@pytest.fixture
def log() -> Flaky:
    return Flaky()


@pytest.fixture
async def run(database: Database, connection: Connection, log: Flaky) -> Run:
    async with database.transaction() as tx:
        asked, _ = await runs.request(
            tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
        )
    await Relay(database, log).publish(asked.id)
    async with database.transaction() as tx:
        [run] = await runs.claim(tx, worker="tester", lease=timedelta(seconds=15), limit=1)
    return run


@asynccontextmanager
async def reporting(database: Database, log: Flaky, run: Run) -> AsyncGenerator[Reporter]:
    reporter = Reporter(
        run=run.id,
        attempt=run.attempt,
        relay=Relay(database, log),
        log=log,
        clock=SystemClock(),
        progress=Progress(Counts()),
        seq=Seq(0),
    )
    task = asyncio.create_task(reporter.report())
    yield reporter
    task.cancel()
    await asyncio.wait({task})


async def shown(log: Flaky, run: Run, activity: str) -> None:
    async def told() -> bool:
        snapshot = await log.snapshot(run.id)
        return snapshot is not None and snapshot.state.get("activity") == activity

    await wait_until(told)


async def turn() -> None:
    """Let everybody else have a turn."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def milestone(database: Database, reporter: Reporter, kind: EventKind) -> None:
    event = Event(kind=kind, at=datetime.now(UTC), attempt=reporter.attempt)
    async with database.transaction() as tx:
        await runs.record(tx, reporter.run, event)
    reporter.committed({}, last=False)


async def test_a_thousand_changes_are_a_few_ticks_and_the_last_one_is_told(
    database: Database, log: Flaky, run: Run
) -> None:
    async with reporting(database, log, run) as reporter:
        await milestone(database, reporter, EventKind.STARTED)
        for number in range(1_000):
            reporter.progress.activity = f"Reading file {number}"
            reporter.moved()
            await turn()
        await shown(log, run, "Reading file 999")
        events = (await log.since(run.id, Seq(0))).events

    assert sum(each.event.kind is EventKind.PROGRESS for each in events) <= 3


async def test_what_was_committed_while_the_stream_was_away_is_told_when_it_is_back(
    database: Database, log: Flaky, run: Run
) -> None:
    async with reporting(database, log, run) as reporter:
        await milestone(database, reporter, EventKind.STARTED)
        log.away = True
        await milestone(database, reporter, EventKind.QUERYABLE)
        reporter.progress.activity = "Still at it"
        await wait_until(lambda: log.refused > 0)
        log.away = False
        await shown(log, run, "Still at it")
        events = (await log.since(run.id, Seq(0))).events

    kinds = [each.event.kind for each in events if each.milestone]
    assert kinds == [EventKind.QUEUED, EventKind.STARTED, EventKind.QUERYABLE]


async def test_a_lost_stream_is_begun_again(database: Database, log: Flaky, run: Run) -> None:
    async with reporting(database, log, run) as reporter:
        await milestone(database, reporter, EventKind.STARTED)
        await wait_until(lambda: reporter.seq >= 2)
        log.lose(run.id)
        reporter.progress.activity = "Still at it"
        reporter.moved()
        await shown(log, run, "Still at it")
        snapshot = await log.snapshot(run.id)

    assert snapshot is not None
    assert snapshot.state["status"] == "running"


async def test_a_retry_is_told_at_once(database: Database, log: Flaky, run: Run) -> None:
    news = Retrying(component="read", attempt=2, of=3, at=datetime.now(UTC), reason="no answer")
    async with reporting(database, log, run) as reporter:
        await milestone(database, reporter, EventKind.STARTED)
        reporter.retrying(news)

        async def told() -> bool:
            events = (await log.since(run.id, Seq(0))).events
            return any(each.event.data.get("retrying") for each in events)

        await wait_until(told)
        snapshot = await log.snapshot(run.id)

    assert snapshot is not None
    assert snapshot.state["activity"] == "Trying again: read, 2 of 3 (no answer)"


async def test_an_attempt_that_was_taken_over_falls_silent(
    database: Database, log: Flaky, run: Run
) -> None:
    later = replace(run, attempt=Attempt(run.attempt + 1))
    async with reporting(database, log, run) as reporter, reporting(database, log, later) as other:
        await milestone(database, reporter, EventKind.STARTED)
        await wait_until(lambda: reporter.seq >= 2)
        async with database.transaction() as tx:
            await runs.release(tx, run.id, run.attempt)
            await runs.claim(tx, worker="other", lease=timedelta(seconds=15), limit=1)
        await milestone(database, other, EventKind.STARTED)
        await wait_until(lambda: other.seq > reporter.seq)

        reporter.progress.activity = "a stale word"
        reporter.moved()
        other.progress.activity = "a true word"
        other.moved()
        await shown(log, run, "a true word")
        events = (await log.since(run.id, Seq(0))).events

    assert all(each.event.patch.get("activity") != "a stale word" for each in events)
