"""A run that must wait has nobody at it, and is taken up again when its time has come."""

from datetime import timedelta

import pytest

from storage import runs
from storage.clock import shared_now
from storage.connections import Connection
from storage.database import Database
from storage.errors import AttemptFenced
from storage.events import Event, EventKind, RunStatus, WaitingReason, fold
from storage.ids import Attempt, RunId, TenantId
from storage.runs import Run
from tests.asked import FIRST, claimed, connected, event, found, kinds, recorded, requested, told

TWO_HOURS = timedelta(hours=2)
SECOND = timedelta(seconds=1)


def waiting(run: Run, code: WaitingReason) -> Event:
    reason = {"code": code, "message": "Not now.", "action": "Nothing.", "until": None}
    return event(EventKind.WAITING, run.attempt, reason=reason)


async def waits(
    database: Database,
    run: Run,
    *,
    left: timedelta | None,
    code: WaitingReason = WaitingReason.PROVIDER_DOWN,
) -> Run:
    """Let the run wait, until so long from now by the database's clock."""
    async with database.transaction() as tx:
        until = None if left is None else await shared_now(tx) + left
        await runs.park(tx, run.id, run.attempt, until=until)
        await runs.record(tx, run.id, waiting(run, code))
    return await found(database, run.id)


@pytest.fixture
async def run(database: Database, connection: Connection) -> Run:
    """A run that the worker ``one`` is at."""
    await requested(database, connection)
    (run,) = await claimed(database, "one")
    await recorded(database, run.id, event(EventKind.STARTED))
    return run


async def woken(database: Database, **which: object) -> list[RunId]:
    async with database.transaction() as tx:
        return await runs.wake(tx, **which)  # type: ignore[arg-type]  # each test gives its own


async def test_a_run_that_waits_has_nobody_at_it_and_is_nobodys_to_judge(
    database: Database, run: Run
) -> None:
    parked = await waits(database, run, left=TWO_HOURS)

    assert (parked.status, parked.worker) == (RunStatus.WAITING, None)
    assert parked.reason is not None
    assert parked.reason["code"] == "provider_down"
    async with database.reading() as tx:
        assert await runs.pulses(tx) == []
        assert await runs.held(tx, worker="one") == []
    assert await claimed(database, "two") == []


async def test_who_ran_it_cannot_give_back_what_waits(database: Database, run: Run) -> None:
    """A worker gives every attempt back when its flow has ended, in case that it could not."""
    await waits(database, run, left=None)

    async with database.transaction() as tx:
        await runs.release(tx, run.id, run.attempt)

    assert (await found(database, run.id)).status is RunStatus.WAITING
    assert await claimed(database, "two") == []


async def test_it_is_taken_up_when_its_time_has_come_under_the_same_id(
    database: Database, run: Run
) -> None:
    await waits(database, run, left=-SECOND)

    (again,) = await claimed(database, "two")

    state = fold({}, [milestone for _, milestone in await told(database, run.id)])
    assert (again.id, again.attempt, again.status) == (run.id, 2, RunStatus.QUEUED)
    assert again == await found(database, run.id)
    assert (await kinds(database, run.id))[-2:] == [EventKind.WAITING, EventKind.REQUEUED]
    assert (state["status"], state["reason"], state["attempt"]) == ("queued", None, 2)


async def test_of_many_workers_one_takes_it_up(database: Database, run: Run) -> None:
    await waits(database, run, left=-SECOND)

    taken = [*await claimed(database, "two"), *await claimed(database, "three")]

    assert len(taken) == 1


async def test_waiting_is_neither_a_death_nor_a_failed_try(database: Database, run: Run) -> None:
    for _ in range(3):
        await waits(database, run, left=-SECOND)
        (run,) = await claimed(database, "one")

    assert (run.attempt, run.tries, run.deaths) == (4, 1, 0)


async def test_whoever_let_go_writes_nothing_once_another_went_on(
    database: Database, run: Run
) -> None:
    await waits(database, run, left=-SECOND)
    await claimed(database, "two")

    with pytest.raises(AttemptFenced):
        await recorded(database, run.id, event(EventKind.STARTED, FIRST))
    with pytest.raises(AttemptFenced):
        await waits(database, run, left=None)


async def test_one_without_a_moment_waits_until_it_is_woken(database: Database, run: Run) -> None:
    await waits(database, run, left=None, code=WaitingReason.BUDGET)
    before = await claimed(database, "two")

    first, second = await woken(database, run=run.id), await woken(database, run=run.id)

    (again,) = await claimed(database, "two")
    assert (before, first, second) == ([], [run.id], [])
    assert again.id == run.id


async def test_whoever_mended_something_wakes_those_who_waited_for_it(
    database: Database, connection: Connection, run: Run, other_tenant: TenantId
) -> None:
    other, _ = await requested(database, await connected(database, connection, 2))
    (other,) = await claimed(database, "one")
    await waits(database, run, left=None, code=WaitingReason.BUDGET)
    await waits(database, other, left=None, code=WaitingReason.REAUTHORIZATION)

    of_another = await woken(database, tenant=other_tenant)
    by_reason = await woken(database, tenant=run.tenant, reason=WaitingReason.BUDGET)
    by_connection = await woken(database, connection=other.connection)

    assert (of_another, by_reason, by_connection) == ([], [run.id], [other.id])


async def test_a_person_may_say_that_it_shall_look_now(database: Database, run: Run) -> None:
    await waits(database, run, left=TWO_HOURS)

    async with database.transaction() as tx:
        resumed = await runs.resume(tx, run.tenant, run.id)

    assert resumed == await found(database, run.id)
    assert resumed is not None
    assert (resumed.status, resumed.reason, resumed.waits_until) == (RunStatus.QUEUED, None, None)


async def test_it_can_be_cancelled_at_once(database: Database, run: Run) -> None:
    await waits(database, run, left=-SECOND)

    async with database.transaction() as tx:
        cancelled = await runs.cancel(tx, run.tenant, run.id)

    assert cancelled is not None
    assert cancelled.status is RunStatus.CANCELLED
    assert await claimed(database, "two") == []


async def test_a_paused_one_is_taken_up_when_it_is_resumed_and_not_before(
    database: Database, run: Run
) -> None:
    await waits(database, run, left=-SECOND)
    async with database.transaction() as tx:
        paused = await runs.pause(tx, run.tenant, run.id)
    meanwhile = await claimed(database, "two")

    async with database.transaction() as tx:
        await runs.resume(tx, run.tenant, run.id)

    assert paused is not None
    assert paused.status is RunStatus.PAUSED
    assert meanwhile == []
    assert len(await claimed(database, "two")) == 1


@pytest.mark.parametrize(("wish", "status"), [("cancel", "cancelled"), ("pause", "paused")])
async def test_what_was_wished_while_it_ran_is_come_to_when_it_waits(
    database: Database, run: Run, wish: str, status: str
) -> None:
    asks = {"cancel": runs.cancel, "pause": runs.pause}
    async with database.transaction() as tx:
        await asks[wish](tx, run.tenant, run.id)
    await waits(database, run, left=-SECOND)

    taken = await claimed(database, "two")
    async with database.transaction() as tx:
        await runs.honour(tx)

    assert taken == []
    assert (await found(database, run.id)).status == status


async def test_an_attempt_that_nobody_could_begin_is_no_try(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.release(tx, run.id, run.attempt, tried=False)
    (again,) = await claimed(database, "two")
    await recorded(database, run.id, event(EventKind.ATTEMPT_HANDED_OVER, again.attempt))
    async with database.transaction() as tx:
        await runs.release(tx, run.id, again.attempt)
    (third,) = await claimed(database, "two")
    async with database.transaction() as tx:
        await runs.release(tx, run.id, third.attempt)

    (fourth,) = await claimed(database, "two")

    assert (fourth.attempt, fourth.tries) == (Attempt(4), 2)
