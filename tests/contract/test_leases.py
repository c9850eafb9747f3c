"""A lease is kept by beating, lost by silence, and tells those who watch how its attempt fares."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

import pytest

from storage import milestones, runs
from storage.clock import shared_now
from storage.connections import Connection
from storage.database import Database, Tx
from storage.errors import AttemptFenced
from storage.events import EventKind, RunStatus
from storage.ids import ArtifactId, Attempt, RunId
from storage.runs import Beat, Held, Pulse, Run, Wish
from storage.runs.leases import HOLD_SECONDS
from storage.tables import runs as runs_table
from tests.asked import (
    FIRST,
    MINUTE,
    OVER,
    claimed,
    event,
    found,
    kinds,
    recorded,
    requested,
    told,
)

HOUR = timedelta(hours=1)
ACTS: Mapping[str, Callable[[Tx, Pulse], Awaitable[bool]]] = {
    "stall": partial(runs.stall, data={}, activity=""),
    "restart": runs.restart,
    "revoke": runs.revoke,
}


@pytest.fixture
async def run(database: Database, connection: Connection) -> Run:
    """A run that the worker ``one`` is at."""
    await requested(database, connection)
    (run,) = await claimed(database, "one")
    await recorded(database, run.id, event(EventKind.STARTED))
    return run


async def beaten(database: Database, run: Run, progress: str, lag_ms: int = 3) -> list[Held]:
    beats = {(run.id, run.attempt): Beat(lag_ms=lag_ms, progress=progress)}
    async with database.transaction() as tx:
        return await runs.beat(tx, worker="one", lease=MINUTE, beats=beats)


async def pulse(database: Database) -> Pulse:
    async with database.reading() as tx:
        (one,) = await runs.pulses(tx)
    return one


async def set_(database: Database, **values: object) -> None:
    """Make it as if time had passed, or a lease had run out."""
    async with database.transaction() as tx:
        await tx.execute(runs_table.update().values(**values))


async def lost(database: Database, worker: str) -> Run:
    """The run's lease runs out, and ``worker`` takes it."""
    async with database.transaction() as tx:
        moment = await shared_now(tx)
    await set_(database, lease_until=moment - MINUTE)
    (run,) = await claimed(database, worker)
    return run


async def in_hand(database: Database, run: Run, *artifacts: int, deaths: int | None = None) -> None:
    ids = [ArtifactId(each) for each in artifacts]
    async with database.transaction() as tx:
        await runs.take_in_hand(tx, run.id, run.attempt, ids, deaths=deaths)


async def test_a_beat_renews_the_lease_and_says_how_it_goes(database: Database, run: Run) -> None:
    await set_(database, lease_until=(await pulse(database)).beat_at)

    held = await beaten(database, run, "a", lag_ms=40)

    told_ = await pulse(database)
    assert held == [Held(run.id, FIRST, None)]
    assert (told_.worker, told_.lag_ms, told_.progress) == ("one", 40, "a")
    assert await claimed(database, "two") == []


async def test_only_another_token_than_the_last_is_progress(database: Database, run: Run) -> None:
    moments = []
    for token in ("a", "a", "b"):
        await beaten(database, run, token)
        moments.append((await pulse(database)).progressed_at)

    first, same, moved = moments
    assert first == same
    assert moved is not None
    assert first is not None
    assert moved > first


async def test_a_beat_for_an_attempt_of_before_says_nothing(database: Database, run: Run) -> None:
    again = await lost(database, "one")  # the same worker may well take it

    held = await beaten(database, run, "a")

    assert held == [Held(run.id, again.attempt, None)]
    assert (await pulse(database)).progress is None


async def test_a_claim_begins_everything_anew_but_what_kills(database: Database, run: Run) -> None:
    await beaten(database, run, "a", lag_ms=9_000)
    await in_hand(database, run, 5, 6)
    async with database.transaction() as tx:
        await runs.hold(tx, run.id, FIRST, seconds=900)
        assert await runs.stall(tx, (await runs.pulses(tx))[0], data={}, activity="")

    again = await lost(database, "two")

    now_ = await pulse(database)
    assert (now_.progress, now_.lag_ms, now_.stalled_at) == (None, None, None)
    assert now_.hold_seconds == HOLD_SECONDS
    assert now_.claimed_at == now_.beat_at == now_.progressed_at
    assert (again.in_hand, again.deaths) == ((5, 6), 1)


async def test_a_late_lease_is_left_alone_by_those_who_were_away_themselves(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    await claimed(database, "one", OVER)

    async with database.transaction() as tx:
        taken = await runs.claim(tx, worker="two", lease=MINUTE, limit=1, take_over=False)
        held = await runs.beat(tx, worker="one", lease=MINUTE, beats={})

    assert taken == []
    assert len(held) == 1


async def test_a_worker_that_is_late_and_alive_takes_no_run_from_itself(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    await claimed(database, "one", OVER)

    async with database.transaction() as tx:
        own = await runs.claim(tx, worker="one", lease=MINUTE, limit=1, from_itself=False)
        held = await runs.beat(tx, worker="one", lease=OVER, beats={})
        others = await runs.claim(tx, worker="two", lease=MINUTE, limit=1, from_itself=False)

    assert own == []
    assert len(held) == len(others) == 1


async def test_what_waits_is_taken_also_by_those_who_were_away(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)

    async with database.transaction() as tx:
        taken = await runs.claim(tx, worker="two", lease=MINUTE, limit=1, take_over=False)

    assert len(taken) == 1


async def test_losses_without_progress_are_counted_in_a_row(database: Database, run: Run) -> None:
    deaths = [(await lost(database, f"w{number}")).deaths for number in range(3)]

    (_, last) = (await told(database, run.id))[-1]
    assert deaths == [1, 2, 3]
    assert (last.kind, last.data["deaths"]) == (EventKind.ATTEMPT_LOST, 3)


async def test_progress_ends_the_row(database: Database, run: Run) -> None:
    first = await lost(database, "one")
    for token in ("a", "b"):
        await beaten(database, first, token)

    again = await lost(database, "two")

    assert again.deaths == 1


async def test_what_is_in_hand_kills_whatever_else_moves(database: Database, run: Run) -> None:
    await in_hand(database, run, 1, 2)
    first = await lost(database, "one")
    for token in ("a", "b"):
        await beaten(database, first, token)

    again = await lost(database, "two")

    assert (again.deaths, again.in_hand) == (2, (1, 2))


async def test_what_was_in_hand_and_is_done_ends_the_row(database: Database, run: Run) -> None:
    await in_hand(database, run, 1, 2)
    again = await lost(database, "two")

    await in_hand(database, again, deaths=0)

    row = await found(database, run.id)
    assert (row.deaths, row.in_hand) == (0, ())


async def test_handing_over_is_no_death(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.release(tx, run.id, FIRST)

    (again,) = await claimed(database, "two")

    assert again.deaths == 0


async def test_a_stale_attempt_takes_nothing_in_hand(database: Database, run: Run) -> None:
    await lost(database, "two")

    with pytest.raises(AttemptFenced):
        await in_hand(database, run, 1)


async def test_a_standstill_is_told_once_until_it_moves(database: Database, run: Run) -> None:
    async def stalled() -> bool:
        seen = await pulse(database)
        async with database.transaction() as tx:
            return await runs.stall(tx, seen, data={"seconds": 130}, activity="Nothing moves")

    await beaten(database, run, "a")
    first, second = await stalled(), await stalled()
    await beaten(database, run, "b")
    third = await stalled()

    (_, last) = (await told(database, run.id))[-1]
    assert (first, second, third) == (True, False, True)
    assert (last.kind, last.data) == (EventKind.STALLED, {"seconds": 130})
    assert last.patch["activity"] == "Nothing moves"
    assert (await found(database, run.id)).status is RunStatus.RUNNING


@pytest.mark.parametrize("act", ["stall", "restart", "revoke"])
async def test_nothing_is_done_to_what_moved_since_it_was_seen(
    database: Database, run: Run, act: str
) -> None:
    await beaten(database, run, "a")
    seen = await pulse(database)
    await beaten(database, run, "b")
    before = await pulse(database)

    async with database.transaction() as tx:
        done = await ACTS[act](tx, seen)

    assert not done
    assert await pulse(database) == before


async def test_a_wish_to_restart_never_replaces_a_persons(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.pause(tx, run.tenant, run.id)
        (seen,) = await runs.pulses(tx)
        done = await runs.restart(tx, seen)

    assert not done
    assert (await found(database, run.id)).wish is Wish.PAUSE


async def test_whoever_is_wished_to_restart_lets_go_and_another_goes_on(
    database: Database, run: Run
) -> None:
    async with database.transaction() as tx:
        (seen,) = await runs.pulses(tx)
        assert await runs.restart(tx, seen)
        assert await runs.held(tx, worker="one") == [Held(run.id, FIRST, Wish.RESTART)]
        await runs.release(tx, run.id, FIRST)

    (again,) = await claimed(database, "two")

    assert (again.attempt, again.wish) == (2, None)


async def test_a_revoked_lease_does_not_come_back(database: Database, run: Run) -> None:
    seen = await pulse(database)
    async with database.transaction() as tx:
        first, second = await runs.revoke(tx, seen), await runs.revoke(tx, seen)

    held = await beaten(database, run, "a")
    (again,) = await claimed(database, "two")

    assert (first, second, held) == (True, False, [])
    assert (again.attempt, again.deaths, again.worker) == (2, 1, "two")
    assert EventKind.ATTEMPT_LOST in await kinds(database, run.id)


async def test_the_runs_of_a_worker_that_is_known_to_be_dead_are_taken_at_once(
    database: Database, run: Run
) -> None:
    async with database.transaction() as tx:
        of_nobody = await runs.inherit(tx, "two")
        before = await runs.claim(tx, worker="two", lease=MINUTE, limit=1, take_over=False)
        of_the_dead = await runs.inherit(tx, "one")
        (taken,) = await runs.claim(tx, worker="two", lease=MINUTE, limit=1, take_over=False)

        lost = (await milestones.after(tx, run.id, 0))[-1][1]

    assert (of_nobody, before, of_the_dead) == (0, [], 1)
    assert (lost.kind, lost.data["reason"]) == (EventKind.ATTEMPT_LOST, "died")
    assert (taken.id, taken.attempt) == (run.id, run.attempt + 1)


async def test_a_revoked_lease_is_taken_also_by_those_who_were_away(
    database: Database, run: Run
) -> None:
    async with database.transaction() as tx:
        await runs.revoke(tx, (await runs.pulses(tx))[0])
        taken = await runs.claim(tx, worker="two", lease=MINUTE, limit=1, take_over=False)

    assert [each.id for each in taken] == [run.id]


@pytest.mark.parametrize("kind", [EventKind.STARTED, EventKind.RESUMED])
async def test_how_long_nothing_moved_is_counted_from_where_it_went_on(
    database: Database, run: Run, kind: EventKind
) -> None:
    seen = await pulse(database)
    assert seen.progressed_at is not None
    await set_(database, progressed_at=seen.progressed_at - HOUR)

    await recorded(database, run.id, event(kind))

    now_ = await pulse(database)
    assert now_.progressed_at is not None
    assert now_.progressed_at >= seen.progressed_at


async def test_nobody_has_a_pulse_who_is_not_held(database: Database, run: Run) -> None:
    await recorded(database, run.id, event(EventKind.PAUSED))

    async with database.reading() as tx:
        assert await runs.pulses(tx) == []


async def test_beats_are_for_those_who_are_held(database: Database, run: Run) -> None:
    await recorded(database, run.id, event(EventKind.SUCCEEDED))
    beats: Mapping[tuple[RunId, Attempt], Beat] = {(run.id, FIRST): Beat(lag_ms=1, progress="late")}

    async with database.transaction() as tx:
        assert await runs.beat(tx, worker="one", lease=MINUTE, beats=beats) == []


async def test_an_attempt_must_stop_when_another_one_is_at_its_run(
    database: Database, run: Run
) -> None:
    await lost(database, "two")

    async with database.reading() as tx:
        taken = await runs.taken(tx, [(run.id, FIRST), (run.id, Attempt(2))])

    assert taken == [(run.id, FIRST)]


async def test_an_attempt_must_stop_when_its_lease_is_revoked(database: Database, run: Run) -> None:
    async with database.transaction() as tx:
        await runs.revoke(tx, (await runs.pulses(tx))[0])
        taken = await runs.taken(tx, [(run.id, FIRST)])

    assert taken == [(run.id, FIRST)]


@pytest.mark.parametrize("kind", [EventKind.SUCCEEDED, EventKind.PAUSED])
async def test_an_attempt_that_ended_by_itself_is_not_stopped(
    database: Database, run: Run, kind: EventKind
) -> None:
    await recorded(database, run.id, event(kind))

    async with database.reading() as tx:
        assert await runs.taken(tx, [(run.id, FIRST)]) == []


async def test_a_beat_says_how_long_a_step_may_take(database: Database, run: Run) -> None:
    beat = Beat(lag_ms=1, progress="a", hold_seconds=900)
    async with database.transaction() as tx:
        await runs.beat(tx, worker="one", lease=MINUTE, beats={(run.id, run.attempt): beat})

    assert (await pulse(database)).hold_seconds == 900


async def test_a_beat_waits_for_no_commit(database: Database, run: Run) -> None:
    """Elsewhere than in SQLite, which has one writer whoever it is."""
    if database.dialect == "sqlite":
        held = await beaten(database, run, "a")
    else:
        async with database.transaction() as tx:
            await runs.lock(tx, run.id, FIRST)
            held = await asyncio.wait_for(beaten(database, run, "a"), 5)

    assert held == [Held(run.id, FIRST, None)]


async def test_a_worker_takes_only_runs_of_workflows_that_it_knows(
    database: Database, connection: Connection
) -> None:
    async with database.transaction() as tx:
        await runs.ask(tx, connection.tenant, workflow="sing", title="", input={})
        take = partial(runs.claim, tx, lease=MINUTE, limit=10)
        by_dancers = await take(worker="one", workflows={"ingest", "dance"})
        by_singers = await take(worker="two", workflows={"ingest", "sing"})

    assert by_dancers == []
    assert [run.workflow for run in by_singers] == ["sing"]
