"""A worker's heart beats whatever its loop does, and tells it what is not its own any more."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from pipelines.heartbeat import Heart
from pipelines.settings import PipelineSettings
from pipelines.vital import Mine, Vital
from storage import runs, workers
from storage.connections import Connection
from storage.database import Database
from storage.ids import Attempt
from storage.runs import Pulse, Run
from storage.tables import runs as runs_table
from tests.asked import MINUTE, claimed, requested
from tests.waiting import wait_until

SETTINGS = PipelineSettings(name="one", version="7", renew_seconds=0.1, lease_seconds=2)


@pytest.fixture
async def run(database: Database, connection: Connection) -> Run:
    """A run that the worker ``one`` is at."""
    await requested(database, connection)
    return (await claimed(database, "one"))[0]


@asynccontextmanager
async def beating(
    database: Database, vitals: dict[Mine, Vital], fenced: Callable[[Mine], None]
) -> AsyncGenerator[Heart]:
    heart = Heart(
        settings=SETTINGS,
        database=database,
        vitals=vitals,
        draining=lambda: False,
        fenced=fenced,
    )
    heart.start()
    try:
        yield heart
    finally:
        await heart.stop()


async def pulse(database: Database) -> Pulse:
    async with database.reading() as tx:
        return (await runs.pulses(tx))[0]


def ignore(_: Mine) -> None:
    """Nobody is fenced in this test."""


async def test_a_blocked_loop_still_beats_and_says_how_late_it_is(
    database: Database, run: Run
) -> None:
    seen: list[Pulse] = []

    def look_elsewhere() -> None:
        """From another thread, as another worker would, while this loop stands still."""

        async def look() -> None:
            async with database.again() as other:
                before = (await pulse(other)).beat_at

                async def late() -> bool:
                    now = await pulse(other)
                    seen.append(now)
                    return now.beat_at != before and (now.lag_ms or 0) > 500

                await wait_until(late, within_seconds=60)

        asyncio.run(look())

    async with beating(database, {(run.id, run.attempt): Vital()}, ignore) as heart:
        await wait_until(lambda: heart.strong)
        watcher = threading.Thread(target=look_elsewhere)
        watcher.start()
        watcher.join()  # this blocks the loop

    assert seen[-1].lag_ms is not None
    assert seen[-1].lag_ms > 500


async def test_a_beat_says_whether_its_attempt_gets_on(database: Database, run: Run) -> None:
    vital = Vital()
    async with beating(database, {(run.id, run.attempt): vital}, ignore):
        await wait_until(lambda: _tells(database, "0"))
        with vital.holding(timedelta(hours=1)):
            vital.advance()
            await wait_until(lambda: _tells(database, "1"))

            assert (await pulse(database)).hold_seconds == 3600


async def test_an_attempt_that_was_taken_over_is_told_to_stop(database: Database, run: Run) -> None:
    fenced: list[Mine] = []
    vitals = {(run.id, run.attempt): Vital()}
    async with beating(database, vitals, fenced.append) as heart:
        await wait_until(lambda: heart.strong)
        async with database.transaction() as tx:
            await tx.execute(runs_table.update().values(attempt=2, worker="two"))

        await wait_until(lambda: bool(fenced))

    assert fenced[0] == (run.id, run.attempt)


async def test_what_a_worker_lets_go_by_itself_is_nobodys_fault(
    database: Database, run: Run
) -> None:
    fenced: list[Mine] = []
    async with beating(database, {(run.id, run.attempt): Vital()}, fenced.append) as heart:
        await wait_until(lambda: bool(heart.mine))
        async with database.transaction() as tx:
            await runs.release(tx, run.id, run.attempt)
        await wait_until(lambda: not heart.mine)

    assert fenced == []


async def test_a_worker_is_known_with_its_version_as_long_as_it_beats(database: Database) -> None:
    async def known() -> list[tuple[str, str]]:
        async with database.reading() as tx:
            return [(each.name, each.version) for each in await workers.live(tx)]

    async with beating(database, {}, ignore) as heart:
        await wait_until(lambda: heart.strong)
        meanwhile = await known()

    assert meanwhile == [("one", "7")]
    assert await known() == []


async def test_who_was_silent_may_be_dead_only_when_we_were_there_to_hear_it(
    database: Database,
) -> None:
    async with beating(database, {}, ignore) as heart:
        await wait_until(lambda: heart.strong)
        at_first = heart.steady

        await wait_until(lambda: heart.steady)

    assert not at_first


async def test_a_lease_is_kept_by_its_heart_alone(database: Database, run: Run) -> None:
    async with beating(database, {(run.id, run.attempt): Vital()}, ignore):
        first = (await pulse(database)).beat_at
        assert first is not None

        await wait_until(lambda: _beats_after(database, first + timedelta(seconds=2.5)))

        async with database.transaction() as tx:
            other = await runs.claim(tx, worker="two", lease=MINUTE, limit=1)

    assert other == []
    assert (await pulse(database)).attempt == Attempt(1)


async def _tells(database: Database, progress: str) -> bool:
    return (await pulse(database)).progress == progress


async def _beats_after(database: Database, moment: datetime) -> bool:
    beat = (await pulse(database)).beat_at
    return beat is not None and beat > moment
