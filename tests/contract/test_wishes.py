"""What people ask of a run happens once, to their own runs only, whoever holds them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from storage import runs
from storage.connections import Connection
from storage.database import Database, Tx
from storage.errors import AttemptFenced, NothingFailed, RunEnded, RunStopping, RunUnfinished
from storage.events import EventKind, RunStatus, fold
from storage.ids import Attempt, RunId, TenantId
from storage.runs import Run, Wish
from storage.tables import runs as runs_table
from tests.asked import (
    FIRST,
    OVER,
    claimed,
    event,
    failed,
    found,
    kinds,
    recorded,
    requested,
    told,
)

Ask = Callable[[Tx, TenantId, RunId], Awaitable[Run | None]]

ASKS: dict[str, Ask] = {"cancel": runs.cancel, "pause": runs.pause, "resume": runs.resume}
STOPS = {"cancel": RunStatus.CANCELLED, "pause": RunStatus.PAUSED}
WISHES = {"cancel": Wish.CANCEL, "pause": Wish.PAUSE}


async def asked(database: Database, run: Run, ask: str) -> Run:
    async with database.transaction() as tx:
        answer = await ASKS[ask](tx, run.tenant, run.id)
    assert answer == await found(database, run.id)
    assert answer is not None
    return answer


async def retried(database: Database, run: Run) -> tuple[Run, bool]:
    async with database.transaction() as tx:
        answer = await runs.retry(tx, run.tenant, run.id)
    assert answer is not None
    return answer


async def released(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.release(tx, run.id, run.attempt)


async def honoured(database: Database) -> list[RunId]:
    async with database.transaction() as tx:
        return await runs.honour(tx)


@pytest.fixture
async def queued(database: Database, connection: Connection) -> Run:
    """A run that nobody has taken yet."""
    return (await requested(database, connection))[0]


@pytest.fixture
async def run(database: Database, queued: Run) -> Run:
    """The same, in the hands of the worker ``one``."""
    return (await claimed(database, "one"))[0]


@pytest.fixture
async def ended(database: Database, run: Run) -> Run:
    await failed(database, run)
    await recorded(database, run.id, event(EventKind.SUCCEEDED_WITH_FAILURES))
    return await found(database, run.id)


@pytest.mark.parametrize("ask", ["cancel", "pause"])
async def test_where_nobody_is_at_it_it_happens_at_once_and_once(
    database: Database, queued: Run, ask: str
) -> None:
    stopped = await asked(database, queued, ask)
    again = await asked(database, queued, ask)

    assert stopped == again
    assert (stopped.status, stopped.wish) == (STOPS[ask], None)
    assert len(await kinds(database, queued.id)) == 2
    assert await claimed(database, "one") == []


@pytest.mark.parametrize("ask", ["cancel", "pause"])
async def test_whoever_is_at_it_is_told_with_the_next_beat(
    database: Database, run: Run, ask: str
) -> None:
    for _ in range(2):  # asking twice is asking once
        assert (await asked(database, run, ask)).status == run.status

    async with database.transaction() as tx:
        beat = await runs.beat(tx, worker="one", lease=-OVER, beats={})
        looked = await runs.held(tx, worker="one")

    assert beat == looked == [runs.Held(run.id, FIRST, WISHES[ask])]
    assert await kinds(database, run.id) == [EventKind.QUEUED, EventKind.WISHED]


@pytest.mark.parametrize("ask", ["cancel", "pause"])
async def test_the_attempt_that_comes_to_it_lets_go(database: Database, run: Run, ask: str) -> None:
    await asked(database, run, ask)
    kind = EventKind.CANCELLED if ask == "cancel" else EventKind.PAUSED

    await recorded(database, run.id, event(kind))

    row = await found(database, run.id)
    state = fold({}, [milestone for _, milestone in await told(database, run.id)])
    assert (row.status, row.wish, row.worker) == (STOPS[ask], None, None)
    assert (state["status"], state["wish"]) == (STOPS[ask], None)
    assert await claimed(database, "two") == []


@pytest.mark.parametrize("ask", ["cancel", "pause"])
async def test_a_wish_outlives_the_worker_that_was_told(
    database: Database, connection: Connection, ask: str
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "one")
    await asked(database, run, ask)
    await released(database, run)

    taken = await claimed(database, "two")
    done, again = await honoured(database), await honoured(database)

    assert (taken, done, again) == ([], [run.id], [])
    assert (await found(database, run.id)).status is STOPS[ask]


@pytest.mark.parametrize("ask", ["cancel", "pause"])
async def test_a_worker_that_died_with_a_wish_cannot_write_when_it_comes_back(
    database: Database, connection: Connection, ask: str
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "one", OVER)
    async with database.transaction() as tx:
        await tx.execute(runs_table.update().values(wish=WISHES[ask]))

    taken, done = await claimed(database, "two"), await honoured(database)

    assert (taken, done) == ([], [run.id])
    with pytest.raises((AttemptFenced, RunEnded)):
        await recorded(database, run.id, event(EventKind.STARTED))
    assert (await told(database, run.id))[-1][1].attempt == 2


@pytest.mark.parametrize("ask", ["cancel", "pause"])
async def test_a_run_whose_worker_is_dead_is_stopped_at_once(
    database: Database, connection: Connection, ask: str
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "one", OVER)

    stopped = await asked(database, run, ask)

    assert (stopped.status, stopped.attempt) == (STOPS[ask], 2)
    with pytest.raises((AttemptFenced, RunEnded)):
        await recorded(database, run.id, event(EventKind.STARTED))


async def test_a_cancelled_run_says_what_is_kept(database: Database, queued: Run) -> None:
    await asked(database, queued, "cancel")

    (_, last) = (await told(database, queued.id))[-1]

    assert last.patch["status"] == RunStatus.CANCELLED
    assert "kept" in last.patch["activity"]
    assert last.patch["finished_at"] is not None


async def test_a_paused_run_goes_on_where_it_was(database: Database, run: Run) -> None:
    await recorded(database, run.id, event(EventKind.STARTED), event(EventKind.PAUSED))

    resumed = await asked(database, run, "resume")
    again = await asked(database, run, "resume")
    (taken,) = await claimed(database, "two")

    assert resumed.status is RunStatus.QUEUED
    assert again == resumed
    assert (taken.id, taken.attempt) == (run.id, 2)
    assert (await kinds(database, run.id))[-2:] == [EventKind.PAUSED, EventKind.REQUEUED]


async def test_a_start_attaches_to_a_paused_run(
    database: Database, connection: Connection, queued: Run
) -> None:
    paused = await asked(database, queued, "pause")

    assert await requested(database, connection) == (paused, False)


async def test_a_pause_can_be_taken_back_before_anybody_came_to_it(
    database: Database, run: Run
) -> None:
    await asked(database, run, "pause")

    resumed = await asked(database, run, "resume")

    told_ = [(each.kind, each.patch.get("wish")) for _, each in await told(database, run.id, 1)]
    assert (resumed.wish, resumed.worker) == (None, "one")
    assert told_ == [(EventKind.WISHED, Wish.PAUSE), (EventKind.WISHED, None)]
    async with database.transaction() as tx:
        assert await runs.wished(tx, run.id, FIRST) is None


async def test_cancelling_outweighs_pausing_and_nothing_takes_it_back(
    database: Database, run: Run
) -> None:
    await asked(database, run, "pause")
    await asked(database, run, "cancel")

    for ask in ("pause", "resume"):
        with pytest.raises(RunStopping, match="being cancelled"):
            await asked(database, run, ask)

    async with database.transaction() as tx:
        assert await runs.wished(tx, run.id, FIRST) is Wish.CANCEL


@pytest.mark.parametrize("ask", ["cancel", "pause", "resume"])
async def test_a_run_that_is_over_takes_no_wish(database: Database, ended: Run, ask: str) -> None:
    with pytest.raises(RunEnded, match=f"nothing to {ask}"):
        await asked(database, ended, ask)

    assert await found(database, ended.id) == ended


@pytest.mark.parametrize("ask", ["pause", "resume"])
async def test_a_cancelled_run_stays_cancelled(database: Database, queued: Run, ask: str) -> None:
    cancelled = await asked(database, queued, "cancel")

    with pytest.raises(RunEnded, match="cancelled"):
        await asked(database, queued, ask)

    assert await found(database, queued.id) == cancelled


@pytest.mark.parametrize("ask", ["cancel", "pause", "resume"])
async def test_another_tenant_finds_no_run_to_ask_anything_of(
    database: Database, other_tenant: TenantId, run: Run, ask: str
) -> None:
    async with database.transaction() as tx:
        assert await ASKS[ask](tx, other_tenant, run.id) is None
        assert await runs.retry(tx, other_tenant, run.id) is None

    assert await found(database, run.id) == run


async def test_a_stale_attempt_learns_no_wish(database: Database, run: Run) -> None:
    await asked(database, run, "cancel")

    with pytest.raises(AttemptFenced):
        async with database.transaction() as tx:
            await runs.wished(tx, run.id, Attempt(7))


async def test_of_many_wishes_at_once_the_run_ends_once(database: Database, queued: Run) -> None:
    answers = await asyncio.gather(
        *(asked(database, queued, "cancel") for _ in range(10)), claimed(database, "one")
    )

    milestones = await kinds(database, queued.id)
    ended = (await found(database, queued.id)).status is RunStatus.CANCELLED
    assert milestones.count(EventKind.CANCELLED) == int(ended)
    assert ended == (answers[-1] == [])


async def test_what_failed_is_retried_by_one_new_run(database: Database, ended: Run) -> None:
    retry, created = await retried(database, ended)
    again, created_again = await retried(database, ended)
    of_the_retry, _ = await retried(database, retry)

    assert (created, created_again) == (True, False)
    assert retry == again == of_the_retry
    assert retry.input == {"deep": True, "only": "failed"}
    assert retry.connection == ended.connection


async def test_a_run_that_is_not_over_has_nothing_to_retry_yet(
    database: Database, run: Run
) -> None:
    await failed(database, run)

    with pytest.raises(RunUnfinished, match="queued"):
        await retried(database, run)


async def test_a_retry_waits_for_another_run_of_the_connection(
    database: Database, connection: Connection, ended: Run
) -> None:
    other, _ = await requested(database, connection)

    with pytest.raises(RunUnfinished, match=str(other.id)):
        await retried(database, ended)


async def test_a_run_without_failures_has_nothing_to_retry(database: Database, run: Run) -> None:
    await recorded(database, run.id, event(EventKind.SUCCEEDED))

    with pytest.raises(NothingFailed):
        await retried(database, run)
