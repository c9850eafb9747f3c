"""A run's life in the database: asked for once, held by one, fenced, ended once."""

import asyncio
from dataclasses import replace

import pytest

from storage import runs, tables
from storage.connections import Connection
from storage.counts import Counts
from storage.database import Database
from storage.errors import AttemptFenced, RunEnded
from storage.events import EventKind, RunStatus, fold
from storage.ids import Attempt, RunId, Seq, TenantId, new_id
from storage.runs import Run
from tests.asked import (
    FIRST,
    MINUTE,
    OVER,
    claimed,
    connected,
    event,
    found,
    recorded,
    requested,
    told,
)

STATE_FIELDS = {
    *("id", "connection_id", "workflow", "title", "status", "reason", "wish"),
    *("attempt",),
    *("created_at", "started_at", "first_queryable_at", "finished_at"),
    *("stages", "counts", "rate", "eta", "activity", "searchable"),
    *("latest", "failures", "reader"),
}


async def _adopt(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.adopt(tx, run.id, FIRST, worker="one")


async def _save(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.save(tx, run.id, FIRST, counts=Counts(found=1), seq=Seq(1))


async def _release(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.release(tx, run.id, FIRST)


async def _record(database: Database, run: Run) -> None:
    await recorded(database, run.id, event(EventKind.SUCCEEDED))


WRITES = {"adopt": _adopt, "save": _save, "release": _release, "record": _record}


@pytest.fixture
async def run(database: Database, connection: Connection) -> Run:
    """A run that the worker ``one`` has claimed."""
    await requested(database, connection)
    return (await claimed(database, "one"))[0]


async def test_a_second_start_attaches_to_the_unfinished_run(
    database: Database, connection: Connection
) -> None:
    first, created = await requested(database, connection)
    second, created_again = await requested(database, connection)

    assert first == second
    assert (created, created_again) == (True, False)
    assert first.input == {"deep": True}


async def test_many_simultaneous_starts_give_one_run(
    database: Database, connection: Connection
) -> None:
    answers = await asyncio.gather(*(requested(database, connection) for _ in range(100)))

    assert len({run.id for run, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


async def test_a_start_after_the_end_is_a_new_run(
    database: Database, connection: Connection, run: Run
) -> None:
    await recorded(database, run.id, event(EventKind.SUCCEEDED))

    again, created = await requested(database, connection)

    assert created
    assert again.id != run.id


async def test_the_first_milestone_is_the_whole_state(
    database: Database, connection: Connection
) -> None:
    run, _ = await requested(database, connection)

    ((number, queued),) = await told(database, run.id)

    assert (number, queued.kind) == (1, EventKind.QUEUED)
    assert set(queued.patch) == STATE_FIELDS
    assert queued.patch["id"] == str(run.id)
    assert queued.patch["title"] == connection.title
    assert queued.patch["counts"] == Counts().to_json()


async def test_claiming_gives_a_run_to_one_worker_and_counts_the_attempt(
    database: Database, connection: Connection
) -> None:
    asked, _ = await requested(database, connection)

    mine = await claimed(database, "one")
    theirs = await claimed(database, "two")

    assert [(run.id, run.attempt, run.worker) for run in mine] == [(asked.id, 1, "one")]
    assert theirs == []


async def test_workers_that_claim_at_once_never_get_the_same_run(
    database: Database, connection: Connection
) -> None:
    for number in range(20):
        another = await connected(database, connection, number)
        await requested(database, another)

    shares = await asyncio.gather(*(claimed(database, f"w{n}") for n in range(10)))

    ids = [run.id for share in shares for run in share]
    assert len(ids) == len(set(ids)) == 20


async def test_a_renewed_lease_keeps_others_away(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "one", OVER)

    async with database.transaction() as tx:
        held = await runs.beat(tx, worker="one", lease=MINUTE, beats={})

    assert held == [runs.Held(run.id, FIRST, None)]
    assert await claimed(database, "two") == []


async def test_a_lease_that_ran_out_is_taken_over_and_told(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "one", OVER)
    await recorded(database, run.id, event(EventKind.STARTED))

    (again,) = await claimed(database, "two")

    (_, lost) = (await told(database, run.id))[-1]
    assert (again.id, again.attempt, again.worker) == (run.id, 2, "two")
    assert again == await found(database, run.id)
    assert (lost.kind, lost.attempt, lost.data["lost"]) == (EventKind.ATTEMPT_LOST, 2, 1)
    assert lost.patch["status"] == RunStatus.QUEUED


async def test_a_worker_that_lost_its_run_renews_nothing(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    await claimed(database, "one", OVER)
    await claimed(database, "two")

    async with database.transaction() as tx:
        held = await runs.beat(tx, worker="one", lease=MINUTE, beats={})

    assert held == []


async def test_a_paused_run_is_nobodys_to_claim(
    database: Database, connection: Connection, run: Run
) -> None:
    async with database.transaction() as tx:
        await runs.release(tx, run.id, FIRST)
        await tx.execute(tables.runs.update().values(status=RunStatus.PAUSED))

    assert await claimed(database, "two") == []


async def test_a_released_run_can_be_claimed_at_once_and_nothing_was_lost(
    database: Database, run: Run
) -> None:
    await recorded(database, run.id, event(EventKind.ATTEMPT_HANDED_OVER))
    async with database.transaction() as tx:
        await runs.release(tx, run.id, FIRST)

    (again,) = await claimed(database, "two")

    kinds = [milestone.kind for _, milestone in await told(database, run.id)]
    assert (again.attempt, again.worker) == (2, "two")
    assert EventKind.ATTEMPT_LOST not in kinds


async def test_adopting_moves_the_run_to_the_worker_that_has_it(
    database: Database, run: Run
) -> None:
    for _ in range(2):  # doing it twice is harmless
        async with database.transaction() as tx:
            mine = await runs.adopt(tx, run.id, FIRST, worker="elsewhere")

    assert mine == replace(run, worker="elsewhere")


@pytest.mark.parametrize("write", ["adopt", "save", "release", "record"])
async def test_a_stale_attempt_is_refused(database: Database, run: Run, write: str) -> None:
    async with database.transaction() as tx:
        await runs.release(tx, run.id, FIRST)
    await claimed(database, "two")
    before = await found(database, run.id)

    with pytest.raises(AttemptFenced):
        await WRITES[write](database, run)

    assert await found(database, run.id) == before


@pytest.mark.parametrize("write", ["adopt", "save", "release", "record"])
async def test_nothing_is_written_after_the_end(database: Database, run: Run, write: str) -> None:
    await recorded(database, run.id, event(EventKind.SUCCEEDED))
    before = await found(database, run.id)

    with pytest.raises(RunEnded):
        await WRITES[write](database, run)

    assert await found(database, run.id) == before


async def test_a_run_that_does_not_exist_is_over(database: Database, run: Run) -> None:
    nowhere = replace(run, id=RunId(new_id()))

    with pytest.raises(RunEnded):
        await WRITES["record"](database, nowhere)


async def test_a_refused_write_takes_its_transaction_along(database: Database, run: Run) -> None:
    async def two_writes() -> None:
        async with database.transaction() as tx:
            await runs.record(tx, run.id, event(EventKind.STARTED))
            await runs.save(tx, run.id, Attempt(7), counts=Counts(), seq=Seq(1))

    with pytest.raises(AttemptFenced):
        await two_writes()

    assert await found(database, run.id) == run


async def test_milestones_are_numbered_without_gaps(database: Database, run: Run) -> None:
    numbers = await recorded(
        database,
        run.id,
        event(EventKind.STARTED),
        event(EventKind.STAGE_STARTED, stages=[{"key": "find"}]),
        event(EventKind.SUCCEEDED),
    )

    assert numbers == [2, 3, 4]
    assert [number for number, _ in await told(database, run.id, 2)] == [3, 4]


async def test_folding_the_milestones_gives_the_row(database: Database, run: Run) -> None:
    reason = {"code": "rate_limited", "message": "The source asked us to wait.", "until": None}
    await recorded(
        database,
        run.id,
        event(EventKind.STARTED, activity="Looking around"),
        event(EventKind.QUERYABLE),
        event(EventKind.WAITING, reason=reason),
    )

    state = fold({}, [milestone for _, milestone in await told(database, run.id)])

    row = await found(database, run.id)
    assert (row.status, row.reason) == (RunStatus.WAITING, reason)
    assert (state["status"], state["reason"], state["attempt"]) == ("waiting", reason, 1)
    assert row.started_at is not None
    assert state["started_at"] == row.started_at.isoformat()
    assert row.first_queryable_at is not None
    assert state["first_queryable_at"] == row.first_queryable_at.isoformat()
    assert state["activity"] == "Looking around"


async def test_going_on_clears_the_reason(database: Database, run: Run) -> None:
    await recorded(
        database,
        run.id,
        event(EventKind.WAITING, reason={"code": "disk"}),
        event(EventKind.RESUMED),
    )

    row = await found(database, run.id)
    (_, resumed) = (await told(database, run.id))[-1]
    assert (row.status, row.reason) == (RunStatus.RUNNING, None)
    assert resumed.patch["reason"] is None


async def test_a_later_attempt_does_not_move_the_start(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "one", OVER)
    await recorded(database, run.id, event(EventKind.STARTED))
    started = (await found(database, run.id)).started_at
    await claimed(database, "two")

    await recorded(database, run.id, event(EventKind.STARTED, attempt=2))

    assert (await found(database, run.id)).started_at == started


async def test_the_end_frees_the_run_and_tells_when(database: Database, run: Run) -> None:
    end = event(EventKind.FAILED, reason={"code": "refused"})

    await recorded(database, run.id, end)

    row = await found(database, run.id)
    assert (row.status, row.finished_at, row.worker) == (RunStatus.FAILED, end.at, None)
    assert row.reason == {"code": "refused"}
    assert await claimed(database, "two") == []


async def test_counts_are_kept_and_the_seq_never_falls(database: Database, run: Run) -> None:
    counts = Counts(found=3, processed=1, skipped={"binary": 2})
    async with database.transaction() as tx:
        await runs.save(tx, run.id, FIRST, counts=counts, seq=Seq(9))
        await runs.save(tx, run.id, FIRST, counts=counts, seq=Seq(4))

    row = await found(database, run.id)

    assert (row.counts, row.seq) == (counts, 9)


async def test_another_tenant_sees_nothing_of_a_run(
    database: Database, other_tenant: TenantId, run: Run
) -> None:
    async with database.reading() as tx:
        assert await runs.get(tx, other_tenant, run.id) is None
        assert await runs.page(tx, other_tenant, after=None, limit=10) == []
        assert await runs.get(tx, run.tenant, run.id) == run


async def test_a_page_can_be_of_one_connection_and_status(
    database: Database, connection: Connection, run: Run
) -> None:
    other = await connected(database, connection, 1)
    elsewhere, _ = await requested(database, other)

    async with database.reading() as tx:
        every = await runs.page(tx, run.tenant, after=None, limit=10)
        rest = await runs.page(tx, run.tenant, after=elsewhere.id, limit=10)
        here = await runs.page(tx, run.tenant, connection=connection.id, after=None, limit=10)
        ended = await runs.page(tx, run.tenant, status=RunStatus.SUCCEEDED, after=None, limit=10)

    assert every == [elsewhere, run]
    assert rest == here == [run]
    assert ended == []
