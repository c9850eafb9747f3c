"""A monitor acts on what stands still, and leaves alone what is alive. Time passes in the rows."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from pipelines.monitor import Monitor, Verdict
from storage import milestones, runs, workers
from storage.clock import shared_now
from storage.connections import Connection
from storage.database import Database
from storage.events import Event, EventKind, RunStatus
from storage.runs import Run, Wish
from storage.tables import runs as runs_table
from tests.asked import FIRST, MINUTE, claimed, event, found, kinds, recorded, requested
from tests.ingesting import House, open_house

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def house(database: Database) -> AsyncGenerator[House]:
    async with open_house(database) as house:
        yield house


@pytest.fixture
async def run(database: Database, connection: Connection) -> Run:
    """A run that the worker ``one`` is at."""
    await requested(database, connection)
    (run,) = await claimed(database, "one")
    await recorded(database, run.id, event(EventKind.STARTED))
    return run


async def stands(
    house: House,
    still: timedelta,
    *,
    lag: timedelta = timedelta(0),
    told: timedelta | None = None,
) -> None:
    """As if the run's worker had beaten all the time, and nothing had moved for so long."""
    async with house.services.database.transaction() as tx:
        moment = await shared_now(tx)
        await tx.execute(
            runs_table.update().values(
                progressed_at=moment - still,
                beat_at=moment,
                lag_ms=round(lag / timedelta(milliseconds=1)),
                stalled_at=None if told is None else moment - told,
            )
        )


async def looked(house: House) -> Verdict:
    (verdict,) = (await Monitor(house.services).look()).values()
    return verdict


async def last(house: House, run: Run) -> Event:
    async with house.services.database.reading() as tx:
        return (await milestones.after(tx, run.id, 0))[-1][1]


async def test_a_wedge_is_told_asked_to_let_go_and_taken_away(house: House, run: Run) -> None:
    database = house.services.database
    await stands(house, 125 * SECOND)
    told = [await looked(house), await looked(house)]
    stalled = await last(house, run)
    await stands(house, 145 * SECOND, told=20 * SECOND)
    asked = await looked(house)
    wished = (await found(database, run.id)).wish
    await stands(house, 175 * SECOND, told=50 * SECOND)
    taken = await looked(house)

    (again,) = await claimed(database, "two")

    assert told == [Verdict.STALLED] * 2
    assert (asked, wished, taken) == (Verdict.ASKED, Wish.RESTART, Verdict.TAKEN)
    assert stalled.kind is EventKind.STALLED
    assert stalled.patch["activity"] == "Nothing has moved for 2 minutes"
    assert {"reason", "worker", "seconds", "action"} <= stalled.data.keys()
    lost = await last(house, run)
    assert (again.attempt, lost.kind, lost.data["reason"]) == (2, EventKind.ATTEMPT_LOST, "stalled")
    assert (await kinds(database, run.id)).count(EventKind.STALLED) == 1


async def test_a_loop_that_is_blocked_for_ten_minutes_is_told_and_not_restarted(
    house: House, run: Run
) -> None:
    for minutes in (3, 5, 10):
        await stands(house, minutes * MINUTE, lag=minutes * MINUTE)
        assert await looked(house) is Verdict.BUSY

    row = await found(house.services.database, run.id)
    assert (row.attempt, row.wish, row.worker) == (FIRST, None, "one")
    assert await claimed(house.services.database, "two") == []
    assert "busy" in (await last(house, run)).patch["activity"]


async def test_a_wait_of_two_hours_in_a_workers_hands_causes_no_restart(
    house: House, run: Run
) -> None:
    reason: Mapping[str, Any] = {
        "code": "provider_down",
        "message": "",
        "action": "",
        "until": None,
    }
    await recorded(house.services.database, run.id, event(EventKind.WAITING, reason=reason))
    story = await kinds(house.services.database, run.id)

    for _ in range(3):
        await stands(house, 2 * HOUR)
        assert await looked(house) is Verdict.WAITING

    row = await found(house.services.database, run.id)
    assert (row.attempt, row.wish, row.status) == (FIRST, None, RunStatus.WAITING)
    assert await kinds(house.services.database, run.id) == story


async def test_what_is_over_is_left_alone(house: House, run: Run) -> None:
    await stands(house, HOUR)
    await recorded(house.services.database, run.id, event(EventKind.SUCCEEDED))

    assert await Monitor(house.services).look() == {}
    assert (await last(house, run)).kind is EventKind.SUCCEEDED


async def test_one_leads_and_the_others_do_nothing(house: House, run: Run) -> None:
    await stands(house, HOUR)
    async with house.services.database.transaction() as tx:
        await workers.lead(tx, "another", lease=MINUTE)

    assert await Monitor(house.services).look() == {}
    assert (await last(house, run)).kind is EventKind.STARTED


async def test_what_a_monitor_tells_is_carried_into_the_stream(house: House, run: Run) -> None:
    await stands(house, HOUR)

    assert await looked(house) is Verdict.STALLED

    async with house.services.database.reading() as tx:
        assert (await runs.pulses(tx))[0].run in house.services.unpublished
