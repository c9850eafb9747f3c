"""A reader sees each event exactly once and in order, or a gap and a state that is right again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.events import (
    EventKind,
    EventLog,
    Frame,
    Gap,
    Recorded,
    Snapshot,
    State,
    fold,
)
from storage.ids import RunId, Seq, new_id
from storage.readers import follow
from storage.streams.connect import open_redis
from storage.streams.memory import MemoryEventLog
from storage.streams.redis import RedisEventLog
from tests.waiting import turn
from tests.worlds import LEAP, Reader, World

LENGTH = 8
FIELDS = ["status", "searchable", "activity", "stages"]


@pytest.fixture(params=["memory", "redis"])
def log(request: pytest.FixtureRequest) -> EventLog:
    if request.param == "memory":
        return MemoryEventLog(length=LENGTH)
    return RedisEventLog(request.getfixturevalue("redis"), length=LENGTH)


async def test_a_new_reader_gets_the_state_and_then_what_happens(log: EventLog) -> None:
    world = World(log)
    await world.milestone(EventKind.QUEUED, status="queued")
    reader = asyncio.create_task(collect(follow(log, world.run)))

    await world.milestone(EventKind.STARTED, status="running")
    await world.tick(activity="reading")
    await world.milestone(EventKind.SUCCEEDED, status="succeeded")

    frames = await reader
    assert isinstance(frames[0], Snapshot)
    assert [seq_of(frame) for frame in frames] == list(range(seq_of(frames[0]), 5))
    assert state_after({}, frames) == await world.state()


async def test_a_reader_of_a_finished_run_gets_its_last_state_only(log: EventLog) -> None:
    world = World(log)
    await world.milestone(EventKind.QUEUED, status="queued")
    await world.milestone(EventKind.SUCCEEDED, status="succeeded")

    frames = await collect(follow(log, world.run))

    assert frames == [Snapshot(Seq(2), {"status": "succeeded"}, ended=True)]


async def test_a_reader_that_knows_the_end_gets_nothing(log: EventLog) -> None:
    world = World(log)
    await world.milestone(EventKind.QUEUED)
    await world.milestone(EventKind.FAILED)

    assert await collect(follow(log, world.run, cursor=Seq(2))) == []


async def test_a_cursor_that_was_trimmed_gets_the_gap_and_the_state(log: EventLog) -> None:
    world = World(log)
    await world.milestone(EventKind.QUEUED)
    for n in range(LENGTH + 2):
        await world.tick(searchable=n)
    await world.milestone(EventKind.SUCCEEDED)

    frames = await collect(follow(log, world.run, cursor=Seq(2)))

    assert frames == [Gap(Seq(3), Seq(12)), Snapshot(Seq(12), {"searchable": 9}, ended=True)]


@pytest.mark.parametrize("cursor", [3, 2**64, -1])
async def test_a_cursor_from_elsewhere_gets_all_of_the_stream_as_a_gap(
    log: EventLog, cursor: int
) -> None:
    world = World(log)
    await world.milestone(EventKind.QUEUED, status="queued")
    await world.milestone(EventKind.SUCCEEDED, status="succeeded")

    frames = await collect(follow(log, world.run, cursor=Seq(cursor)))

    assert frames == [
        Gap(Seq(1), Seq(2)),
        Snapshot(Seq(2), {"status": "succeeded"}, ended=True),
    ]


async def test_a_run_without_a_stream_is_given_up_when_patience_ends(log: EventLog) -> None:
    run = RunId(new_id())

    assert await collect(follow(log, run, patience_seconds=0.01)) == []
    assert await collect(follow(log, run, cursor=Seq(7), patience_seconds=0.01)) == []


async def test_a_reader_may_come_before_the_first_event(log: EventLog) -> None:
    world = World(log)
    reader = asyncio.create_task(collect(follow(log, world.run)))
    await turn()

    await world.milestone(EventKind.QUEUED, status="queued")
    await world.milestone(EventKind.CANCELLED, status="cancelled")

    assert state_after({}, await reader) == {"status": "cancelled"}


async def test_a_stream_lost_under_a_reader_is_a_gap_to_it(log: EventLog) -> None:
    world = World(log)
    await world.milestone(EventKind.QUEUED, status="queued")
    frames = follow(log, world.run)
    first = await anext(frames)

    await world.lose()
    await world.tick(activity="going on")
    healed = [await anext(frames), await anext(frames)]
    await world.milestone(EventKind.SUCCEEDED, status="succeeded")
    rest = await collect(frames)

    assert [type(frame) for frame in healed] == [Gap, Snapshot]
    assert [seq_of(frame) for frame in rest] == [LEAP + 2]
    expected = {"status": "succeeded", "activity": "going on"}
    assert state_after({}, [first, *healed, *rest]) == expected


# What may happen to a run: its parts' names are the methods of ``World`` and ``Reader``.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.sampled_from(FIELDS), st.integers(0, 3)),
        st.tuples(st.just("milestone"), st.sampled_from(FIELDS), st.integers(0, 3)),
        st.tuples(st.just("relay again"), st.just(""), st.integers(1, 9)),
        st.tuples(st.just("zombie tick"), st.sampled_from(FIELDS), st.just(9)),
        st.tuples(st.just("new attempt"), st.just("status"), st.integers(0, 3)),
        st.tuples(st.just("burst"), st.sampled_from(FIELDS), st.integers(1, LENGTH + 3)),
        st.tuples(st.just("lose"), st.just(""), st.just(0)),
        st.tuples(st.just("read"), st.just(""), st.integers(1, 12)),
    ),
    max_size=40,
)


@given(happenings=steps)
@settings(max_examples=300, deadline=None)
async def test_any_cut_is_healed_in_memory(happenings: list[tuple[str, str, int]]) -> None:
    await live_through(MemoryEventLog(length=LENGTH), happenings)


@given(happenings=steps)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_cut_is_healed_in_redis(
    redis_url: str,
    happenings: list[tuple[str, str, int]],
) -> None:
    async with open_redis(redis_url) as redis:
        await live_through(RedisEventLog(redis, length=LENGTH), happenings)


@given(sizes=st.lists(st.integers(1, 5), max_size=10))
@settings(max_examples=40, deadline=None)
async def test_a_live_reader_that_is_cut_again_and_again_sees_everything_once(
    sizes: list[int],
) -> None:
    log = MemoryEventLog()
    world = World(log)
    await world.milestone(EventKind.QUEUED)
    reader = Reader(world)
    reading = asyncio.create_task(reader.read_to_the_end(sizes))

    for n in range(sum(sizes)):
        await world.tick(searchable=n)
        await turn()
    await world.milestone(EventKind.SUCCEEDED, status="succeeded")

    await reading
    assert [recorded.seq for recorded in reader.seen] == list(
        range(reader.first + 1, sum(sizes) + 3)
    )
    assert reader.state == await world.state()


async def live_through(log: EventLog, happenings: list[tuple[str, str, int]]) -> None:
    """Let it happen, and check at every reading and at the end that the reader knows the truth."""
    world = World(log)
    await world.milestone(EventKind.QUEUED, status="queued")
    reader = Reader(world)
    for name, subject, value in happenings:
        if name == "read":
            await reader.read(frames=value)
        else:
            await world.happen(name, subject, value)
    await world.milestone(EventKind.SUCCEEDED, status="succeeded")
    await reader.read()
    assert reader.state == await world.state()
    if reader.unbroken and world.lived_once:
        assert [each.seq for each in reader.seen] == list(range(reader.first + 1, world.last + 1))


async def collect(frames: AsyncIterator[Frame]) -> list[Frame]:
    return [frame async for frame in frames]


def seq_of(frame: Frame) -> int:
    assert not isinstance(frame, Gap)
    return frame.as_of if isinstance(frame, Snapshot) else frame.seq


def state_after(state: State, frames: list[Frame]) -> State:
    for frame in frames:
        if isinstance(frame, Snapshot):
            state = frame.state
        if isinstance(frame, Recorded):
            state = fold(state, [frame.event])
    return state
