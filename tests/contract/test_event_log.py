"""What every event log promises, in Redis and in memory."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from storage.errors import AttemptFenced, MilestoneAhead, RunEnded, StreamLost
from storage.events import TERMINAL, Event, EventKind, EventLog, Recorded, fold
from storage.ids import Attempt, RunId, Seq, new_id
from storage.streams.memory import MemoryEventLog
from storage.streams.redis import RedisEventLog
from tests.waiting import turn

LENGTH = 20


@pytest.fixture(params=["memory", "redis"])
def log(request: pytest.FixtureRequest) -> EventLog:
    if request.param == "memory":
        return MemoryEventLog(length=LENGTH)
    return RedisEventLog(request.getfixturevalue("redis"), length=LENGTH)


@pytest.fixture
def run() -> RunId:
    return RunId(new_id())


async def test_events_are_numbered_without_a_gap(log: EventLog, run: RunId) -> None:
    await begin(log, run)

    seqs = [await log.append(run, tick(done=n)) for n in range(3)]

    assert seqs == [2, 3, 4]


async def test_what_was_appended_is_read_back_as_it_was(log: EventLog, run: RunId) -> None:
    milestone = event(EventKind.QUEUED, data={"n": 1.5, "s": 'quo"te\n\ud800é'}, patch={"a": [{}]})
    await log.append(run, milestone, milestone=1)
    progress = tick(counts={"found": 2**53, "skipped": {}})
    await log.append(run, progress)

    kept = await log.since(run, Seq(0))

    assert kept.complete
    assert kept.events == (Recorded(Seq(1), milestone, 1), Recorded(Seq(2), progress, None))


async def test_the_snapshot_is_the_fold_of_the_events(log: EventLog, run: RunId) -> None:
    await begin(log, run, status="queued", title="Notes")
    await log.append(run, tick(counts={"found": 1}, status=None))
    await log.append(run, tick(counts={"found": 2}))

    snapshot = await log.snapshot(run)

    assert snapshot is not None
    assert snapshot.as_of == 3
    assert snapshot.state == {"status": None, "title": "Notes", "counts": {"found": 2}}
    assert snapshot.state == fold({}, [each.event for each in await everything(log, run)])


async def test_a_run_without_events_has_no_stream(log: EventLog, run: RunId) -> None:
    assert await log.snapshot(run) is None
    assert await log.position(run) is None
    assert not (await log.since(run, Seq(0))).complete


async def test_runs_do_not_mix(log: EventLog, run: RunId) -> None:
    other = RunId(new_id())
    await begin(log, run, title="one")
    await begin(log, other, title="other")

    await log.append(run, tick(done=1))

    assert len(await everything(log, run)) == 2
    assert len(await everything(log, other)) == 1


async def test_a_known_milestone_is_dropped_and_answered_with_the_last_seq(
    log: EventLog, run: RunId
) -> None:
    await begin(log, run)
    await log.append(run, tick(done=1))

    again = await log.append(run, event(EventKind.QUEUED), milestone=1)

    assert again == 2
    assert len(await everything(log, run)) == 2


async def test_a_milestone_out_of_order_has_to_wait(log: EventLog, run: RunId) -> None:
    await begin(log, run)

    with pytest.raises(MilestoneAhead):
        await log.append(run, event(EventKind.WAITING), milestone=3)

    assert len(await everything(log, run)) == 1


async def test_a_tick_of_an_earlier_attempt_is_refused(log: EventLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, event(EventKind.STARTED, attempt=2), milestone=2)

    with pytest.raises(AttemptFenced):
        await log.append(run, tick(attempt=1, done=9))

    assert [each.seq for each in await everything(log, run)] == [1, 2]


@pytest.mark.parametrize("seeded", [True, False])
async def test_a_tick_that_was_overtaken_is_dropped(
    log: EventLog, run: RunId, *, seeded: bool
) -> None:
    """It was held up on its way, and would take its readers back."""
    early: dict[str, Any] = {
        "counts": {"found": 2, "failed": {}},
        "stages": [{"key": "find", "done": 2}],
    }
    late: dict[str, Any] = {
        "counts": {"found": 2, "failed": {"gone": 1}},
        "stages": [{"key": "find", "done": 2}],
    }
    if seeded:
        await seed(log, run, seq=2, **late)
    else:
        await begin(log, run)
        await log.append(run, tick(**late))

    seqs = [await log.append(run, tick(**patch)) for patch in (early, late, {"activity": "x"})]

    snapshot = await log.snapshot(run)
    assert seqs == [2, 3, 4]
    assert snapshot is not None
    assert snapshot.state["counts"] == late["counts"]


async def test_a_tick_waits_for_the_start_of_its_attempt(log: EventLog, run: RunId) -> None:
    await begin(log, run)

    with pytest.raises(MilestoneAhead):
        await log.append(run, tick(attempt=2))

    await log.append(run, event(EventKind.STARTED, attempt=2), milestone=2)
    assert await log.append(run, tick(attempt=2)) == 3


async def test_a_milestone_that_sql_took_late_from_an_earlier_attempt_is_still_taken(
    log: EventLog, run: RunId
) -> None:
    await begin(log, run)
    await log.append(run, event(EventKind.STARTED, attempt=2), milestone=2)

    await log.append(run, event(EventKind.ITEM_FAILED, attempt=1), milestone=3)

    assert await log.append(run, tick(attempt=2)) == 4
    with pytest.raises(AttemptFenced):
        await log.append(run, tick(attempt=1))


async def test_a_tick_without_a_stream_is_refused(log: EventLog, run: RunId) -> None:
    with pytest.raises(StreamLost):
        await log.append(run, tick(done=1))

    with pytest.raises(StreamLost):
        await log.append(run, event(EventKind.STARTED), milestone=2)


@pytest.mark.parametrize("kind", sorted(TERMINAL))
async def test_nothing_follows_the_terminal_event(
    log: EventLog, run: RunId, kind: EventKind
) -> None:
    await begin(log, run)
    await log.append(run, event(kind), milestone=2)

    with pytest.raises(RunEnded):
        await log.append(run, tick(done=1))
    with pytest.raises(RunEnded):
        await log.append(run, event(EventKind.FAILED), milestone=3)

    snapshot = await log.snapshot(run)
    assert snapshot is not None
    assert snapshot.ended
    assert snapshot.as_of == 2


async def test_the_terminal_event_may_be_told_twice(log: EventLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, event(EventKind.SUCCEEDED), milestone=2)

    assert await log.append(run, event(EventKind.SUCCEEDED), milestone=2) == 2


async def test_reading_goes_on_after_the_cursor(log: EventLog, run: RunId) -> None:
    await begin(log, run)
    for n in range(9):
        await log.append(run, tick(done=n))

    page = await log.since(run, Seq(4), limit=3)

    assert page.complete
    assert [each.seq for each in page.events] == [5, 6, 7]


@pytest.mark.parametrize("cursor", [0, 5])
async def test_a_cursor_that_was_trimmed_is_no_place(
    log: EventLog, run: RunId, cursor: int
) -> None:
    await begin(log, run)
    for n in range(LENGTH + 5):
        await log.append(run, tick(done=n))

    assert await log.since(run, Seq(cursor)) == await log.since(run, Seq(-1))
    assert not (await log.since(run, Seq(cursor))).complete
    assert len((await log.since(run, Seq(6))).events) == LENGTH


@pytest.mark.parametrize("cursor", [2, 10**9, 2**63, 2**64, 10**30, -1, -(10**30)])
async def test_a_cursor_from_elsewhere_is_no_place(log: EventLog, run: RunId, cursor: int) -> None:
    await begin(log, run)

    found = await log.since(run, Seq(cursor))

    assert not found.complete
    assert found.events == ()


async def test_the_last_seq_is_a_place_with_nothing_after_it(log: EventLog, run: RunId) -> None:
    await begin(log, run)

    found = await log.since(run, Seq(1))

    assert found.complete
    assert found.events == ()
    assert not found.ended


async def test_only_the_last_page_of_a_run_says_that_it_ended(log: EventLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, tick(done=1))
    await log.append(run, event(EventKind.SUCCEEDED), milestone=2)

    assert not (await log.since(run, Seq(0), limit=2)).ended
    assert (await log.since(run, Seq(1))).ended
    assert (await log.since(run, Seq(3))).ended


async def test_waiting_ends_with_the_event(log: EventLog, run: RunId) -> None:
    await begin(log, run)
    waiting = asyncio.create_task(log.tail({run: Seq(1)}, patience_seconds=30))
    await turn()

    await log.append(run, tick(done=1))

    news = await waiting
    assert [each.seq for each in news[run]] == [2]


async def test_waiting_sees_every_run_and_nothing_old(log: EventLog, run: RunId) -> None:
    other, quiet = RunId(new_id()), RunId(new_id())
    await begin(log, run)
    await begin(log, other)
    await log.append(other, tick(done=1))

    news = await log.tail({run: Seq(0), other: Seq(1), quiet: Seq(0)}, patience_seconds=30)

    assert {key: [each.seq for each in events] for key, events in news.items()} == {
        run: [1],
        other: [2],
    }


@pytest.mark.parametrize("cursor", [1, 2**70])
async def test_waiting_gives_up_when_patience_ends(log: EventLog, run: RunId, cursor: int) -> None:
    await begin(log, run)

    assert await log.tail({run: Seq(cursor)}, patience_seconds=0.01) == {}
    assert await log.tail({}, patience_seconds=0.01) == {}


async def test_a_seeded_stream_goes_on_from_there(log: EventLog, run: RunId) -> None:
    state = {"status": "running", "counts": {"found": 3}}
    await log.seed(run, state, seq=Seq(2**20), milestones=4, attempt=Attempt(2), ended=False)

    snapshot = await log.snapshot(run)
    assert snapshot is not None
    assert (snapshot.as_of, snapshot.state, snapshot.ended) == (2**20, state, False)
    assert await log.append(run, event(EventKind.QUEUED), milestone=4) == 2**20
    assert await log.append(run, tick(attempt=2)) == 2**20 + 1
    assert await log.append(run, event(EventKind.WAITING, attempt=2), milestone=5) == 2**20 + 2
    assert not (await log.since(run, Seq(7))).complete
    with pytest.raises(AttemptFenced):
        await log.append(run, tick(attempt=1))


async def test_seeding_where_a_stream_is_does_nothing(log: EventLog, run: RunId) -> None:
    await seed(log, run, seq=2**20, title="first")
    await log.append(run, tick(done=1))

    await seed(log, run, seq=2**20, title="second")

    snapshot = await log.snapshot(run)
    assert snapshot is not None
    assert snapshot.state == {"title": "first", "done": 1}
    assert snapshot.as_of == 2**20 + 1


async def test_a_stream_that_is_behind_is_replaced(log: EventLog, run: RunId) -> None:
    await begin(log, run, title="old")
    await log.append(run, tick(done=1))

    await seed(log, run, seq=2**20, title="new")

    snapshot = await log.snapshot(run)
    assert snapshot is not None
    assert snapshot.state == {"title": "new"}
    assert not (await log.since(run, Seq(1))).complete


async def test_a_stream_can_be_seeded_at_its_end(log: EventLog, run: RunId) -> None:
    await log.seed(run, {}, seq=Seq(2**20), milestones=3, attempt=Attempt(1), ended=True)

    assert (await log.since(run, Seq(2**20))).ended
    with pytest.raises(RunEnded):
        await log.append(run, tick(done=1))


async def test_seqs_stay_exact_when_they_are_large(log: EventLog, run: RunId) -> None:
    large = 2**52
    await seed(log, run, seq=large)

    assert await log.append(run, tick(done=1)) == large + 1
    assert [each.seq for each in (await log.since(run, Seq(large))).events] == [large + 1]


@pytest.mark.parametrize("patch", [{"_seq": 9}, {"rate": float("nan")}, {"at": datetime.now(UTC)}])
async def test_what_no_watcher_could_read_is_refused_whole(
    log: EventLog, run: RunId, patch: dict[str, Any]
) -> None:
    await begin(log, run)

    with pytest.raises((ValueError, TypeError)):
        await log.append(run, event(EventKind.PROGRESS, patch=patch))

    assert len(await everything(log, run)) == 1


def event(
    kind: EventKind,
    *,
    attempt: int = 0,
    data: dict[str, Any] | None = None,
    patch: dict[str, Any] | None = None,
) -> Event:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    return Event(kind=kind, at=at, attempt=Attempt(attempt), data=data or {}, patch=patch or {})


def tick(*, attempt: int = 0, **patch: object) -> Event:
    return event(EventKind.PROGRESS, attempt=attempt, patch=patch)


async def begin(log: EventLog, run: RunId, **state: object) -> None:
    await log.append(run, event(EventKind.QUEUED, patch=state), milestone=1)


async def seed(log: EventLog, run: RunId, *, seq: int, **state: object) -> None:
    await log.seed(run, state, seq=Seq(seq), milestones=1, attempt=Attempt(0), ended=False)


async def everything(log: EventLog, run: RunId) -> Sequence[Recorded]:
    return (await log.since(run, Seq(0))).events
