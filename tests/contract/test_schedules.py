"""Schedules on both databases: every tick is accounted for, none happens twice, whoever looks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select

from pipelines.schedules import Scheduler
from storage import runs, schedules
from storage.connections import Connection
from storage.credentials import Vault, give
from storage.database import Database, Tx
from storage.errors import ScheduleInvalid
from storage.events import EventKind
from storage.ids import ConnectionId, RunId, TenantId
from storage.schedules import Cadence, Hold, Outcome, Schedule, Tick
from storage.sealed import Keyring, new_key
from storage.tables import runs as runs_table
from tests.asked import connected, event, found, recorded, requested

MONDAY = datetime(2026, 10, 19, 0, 7, 30, tzinfo=UTC)  # on the Sunday after, Paris sets clocks back
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
HOURLY = Cadence(interval=HOUR)
KEYRING = Keyring.parse(new_key())


@dataclass(slots=True)
class Time:
    """A stopped clock, and schedulers that go by it."""

    database: Database
    at: datetime = MONDAY
    started: list[RunId] = field(default_factory=list[RunId])

    def scheduler(self) -> Scheduler:
        return Scheduler(self.database, self.started.append, self.now)

    async def now(self, tx: Tx) -> datetime:  # noqa: ARG002  # a clock that asks no database
        return self.at

    async def look(self) -> Sequence[Tick]:
        return await self.scheduler().look()

    async def put(self, connection: Connection, cadence: Cadence = HOURLY) -> Schedule:
        async with self.database.transaction() as tx:
            return await schedules.put(tx, connection, cadence, moment=self.at)

    async def done(self) -> None:
        """Every run that goes on comes to its end."""
        async with self.database.reading() as tx:
            query = select(runs_table.c.id).where(runs_table.c.finished_at.is_(None))
            going = list(await tx.scalars(query))
        for run in going:
            await recorded(self.database, run, event(EventKind.SUCCEEDED, attempt=0))


@pytest.fixture
def time(database: Database) -> Time:
    return Time(database)


async def get(database: Database, connection: Connection) -> Schedule:
    async with database.reading() as tx:
        it = await schedules.get(tx, connection.tenant, connection.id)
    assert it is not None
    return it


async def told(database: Database, connection: Connection) -> list[Tick]:
    """Oldest first."""
    async with database.reading() as tx:
        newest_first = await schedules.told(tx, connection.tenant, connection.id, limit=1_000)
    return newest_first[::-1]


async def asked(
    database: Database,
    connection: Connection,
    ask: Callable[[Tx, TenantId, ConnectionId], Awaitable[object]],
) -> None:
    async with database.transaction() as tx:
        await ask(tx, connection.tenant, connection.id)


async def test_a_week_with_two_schedulers_and_restarts_accounts_for_every_tick_once(
    time: Time, connection: Connection
) -> None:
    random = Random(7)  # noqa: S311  # not for secrets
    cadences = {
        connection.id: Cadence(
            cron="30 */2 * * *", time_zone="Europe/Paris", jitter=timedelta(minutes=10)
        ),
        (other := await connected(time.database, connection, 1)).id: Cadence(
            interval=timedelta(minutes=100)
        ),
        (nightly := await connected(time.database, connection, 2)).id: Cadence(
            cron="30 2 * * *", time_zone="Europe/Paris"
        ),
    }
    for each in (connection, other, nightly):
        await time.put(each, cadences[each.id])
    pair = [time.scheduler(), time.scheduler()]

    while time.at < MONDAY + WEEK:
        time.at += timedelta(minutes=random.choice([23, 41, 90, 90, 300]))  # the last: all are down
        if random.random() < 0.2:
            pair[random.randrange(2)] = time.scheduler()
        await asyncio.gather(*(scheduler.look() for scheduler in pair))
        if random.random() < 0.8:
            await time.done()

    for each in (connection, other, nightly):
        ticks = await told(time.database, each)
        cadence, last = cadences[each.id], ticks[-1].due_at
        due = []
        for tick in cadence.ticks(MONDAY, anchor=MONDAY):
            if tick > last:
                break
            due.append(tick)
        assert sum(1 + tick.missed for tick in ticks) == len(due)
        assert {tick.due_at for tick in ticks} <= set(due)
        assert len({tick.due_at for tick in ticks}) == len(ticks)
        next_at = (await get(time.database, each)).next_at
        assert next_at is not None
        assert next_at > time.at - timedelta(minutes=11)
    in_the_long_night = [
        tick for tick in await told(time.database, nightly) if tick.due_at.day == 25
    ]
    assert len(in_the_long_night) == 1
    every = [
        tick for each in (connection, other, nightly) for tick in await told(time.database, each)
    ]
    assert sorted(time.started) == sorted(
        tick.run for tick in every if tick.outcome is Outcome.STARTED and tick.run
    )
    assert any(tick.outcome is Outcome.SKIPPED for tick in every)


async def test_a_tick_starts_a_run_that_yields(time: Time, connection: Connection) -> None:
    await time.put(connection)
    time.at += HOUR

    (tick,) = await time.look()

    assert (tick.outcome, tick.missed, tick.due_at) == (Outcome.STARTED, 0, MONDAY + HOUR)
    assert time.started == [tick.run]
    assert tick.run is not None
    assert (await found(time.database, tick.run)).scheduled
    assert await time.look() == []


async def test_a_tick_during_a_run_is_recorded_as_skipped(
    time: Time, connection: Connection
) -> None:
    run, _ = await requested(time.database, connection)
    await time.put(connection)
    time.at += HOUR

    (tick,) = await time.look()

    assert (tick.outcome, tick.run) == (Outcome.SKIPPED, run.id)
    assert time.started == []
    assert await told(time.database, connection) == [tick]


async def test_what_was_missed_while_nobody_looked_becomes_one_run(
    time: Time, connection: Connection
) -> None:
    await time.put(connection)
    time.at += 30 * HOUR + timedelta(minutes=10)

    (tick,) = await time.look()

    assert (tick.due_at, tick.missed) == (MONDAY + 30 * HOUR, 29)
    assert (await get(time.database, connection)).next_at == MONDAY + 31 * HOUR


async def test_a_paused_schedule_comes_to_nothing_and_goes_on_with_the_next_tick(
    time: Time, connection: Connection
) -> None:
    await time.put(connection)
    await asked(time.database, connection, schedules.pause)
    time.at += 5 * HOUR + timedelta(minutes=1)

    assert await time.look() == []
    async with time.database.transaction() as tx:
        resumed = await schedules.resume(tx, connection.tenant, connection.id, moment=time.at)

    assert resumed is not None
    assert resumed.next_at == MONDAY + 6 * HOUR
    assert await time.look() == []


async def test_a_dead_grant_holds_its_schedule_until_it_is_given_again(
    time: Time, connection: Connection
) -> None:
    await _give(time.database, connection)
    vault = Vault(time.database, KEYRING, connection.tenant, connection.id, "test")
    assert await vault.bury(1, "revoked")
    await time.put(connection)
    time.at += HOUR

    assert await time.look() == []
    held = await get(time.database, connection)
    time.at += 3 * HOUR
    assert await time.look() == []
    await _give(time.database, connection)
    async with time.database.transaction() as tx:
        await schedules.let_go(tx, connection.tenant, connection.id, Hold.REAUTHORIZATION)
    (tick,) = await time.look()

    assert (held.held, held.next_at) == (Hold.REAUTHORIZATION, None)
    assert (tick.outcome, tick.missed, tick.due_at) == (Outcome.STARTED, 3, MONDAY + 4 * HOUR)


async def test_a_clock_that_is_set_back_repeats_no_tick_and_silences_nothing(
    time: Time, connection: Connection
) -> None:
    await time.put(connection)
    time.at = MONDAY + 3 * HOUR
    (before,) = await time.look()
    await time.done()

    time.at = MONDAY + 1.5 * HOUR
    assert await time.look() == []
    assert (await get(time.database, connection)).due_at == MONDAY + 2 * HOUR
    time.at = MONDAY + 3 * HOUR
    assert await time.look() == []
    time.at = MONDAY + 4 * HOUR
    (after,) = await time.look()

    assert (before.due_at, after.due_at) == (MONDAY + 3 * HOUR, MONDAY + 4 * HOUR)
    assert len(await told(time.database, connection)) == 2


async def test_a_clock_that_was_a_year_ahead_for_a_while_costs_no_year_of_silence(
    time: Time, connection: Connection
) -> None:
    await time.put(connection)
    time.at = MONDAY + timedelta(days=365)
    await time.look()
    await time.done()

    time.at = MONDAY + HOUR
    await time.look()
    time.at = MONDAY + 2 * HOUR
    (tick,) = await time.look()

    assert tick.due_at == MONDAY + 2 * HOUR


async def test_two_who_look_at_once_start_one_run(time: Time, connection: Connection) -> None:
    await time.put(connection)
    time.at += HOUR

    looks = await asyncio.gather(*(time.scheduler().look() for _ in range(4)))

    assert sum(len(ticks) for ticks in looks) == 1
    assert len(time.started) == 1


async def test_the_same_cadence_again_changes_nothing_and_another_one_begins_anew(
    time: Time, connection: Connection
) -> None:
    first = await time.put(connection)
    time.at += timedelta(minutes=30)

    again = await time.put(connection)
    other = await time.put(connection, Cadence(interval=2 * HOUR))

    assert again == first
    assert other.next_at == time.at + 2 * HOUR


async def test_a_cadence_that_cannot_be_kept_leaves_what_was_there(
    time: Time, connection: Connection
) -> None:
    kept = await time.put(connection)

    with pytest.raises(ScheduleInvalid):
        await time.put(connection, Cadence(cron="never"))

    assert await get(time.database, connection) == kept


async def test_another_tenant_finds_no_schedule(
    time: Time, connection: Connection, other_tenant: TenantId
) -> None:
    await time.put(connection)

    async with time.database.transaction() as tx:
        assert await schedules.get(tx, other_tenant, connection.id) is None
        assert await schedules.page(tx, other_tenant, after=None, limit=10) == []
        assert await schedules.pause(tx, other_tenant, connection.id) is None
        assert not await schedules.remove(tx, other_tenant, connection.id)

    assert not (await get(time.database, connection)).paused


async def test_a_schedule_that_is_taken_away_is_gone(time: Time, connection: Connection) -> None:
    await time.put(connection)
    time.at += HOUR
    await time.look()

    await asked(time.database, connection, schedules.remove)
    time.at += HOUR

    assert await time.look() == []
    assert await told(time.database, connection) == []


async def test_whoever_asks_for_a_run_that_a_schedule_started_waits_no_longer_for_others(
    time: Time, connection: Connection
) -> None:
    await time.put(connection)
    time.at += HOUR
    (tick,) = await time.look()

    async with time.database.transaction() as tx:
        run, created = await runs.request(
            tx, connection.tenant, connection=connection, workflow="ingest", input={}
        )

    assert (run.id, created, run.scheduled) == (tick.run, False, False)
    assert not (await found(time.database, run.id)).scheduled


async def _give(database: Database, connection: Connection) -> None:
    async with database.transaction() as tx:
        await give(
            tx,
            KEYRING,
            connection.tenant,
            connection.id,
            kind="token",
            secret=b"secret",
            actor="test",
        )
