"""What a run says: pieces that are numbered and put together, and taken back with their attempt."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import outputs, results, runs
from storage.database import Database
from storage.errors import AttemptFenced
from storage.events import Event, EventKind, EventLog, State
from storage.ids import Attempt, RunId, Seq, TenantId, new_id
from storage.outputs import OutputLog, Piece
from storage.results import Result
from storage.streams.memory import MemoryEventLog
from storage.streams.redis import Channel, RedisEventLog

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO = Attempt(1), Attempt(2)


@pytest.fixture(params=["memory", "redis"])
def log(request: pytest.FixtureRequest) -> OutputLog:
    if request.param == "memory":
        return OutputLog(MemoryEventLog())
    return OutputLog(RedisEventLog(request.getfixturevalue("redis"), channel=Channel.OUTPUT))


@pytest.fixture
def run() -> RunId:
    return RunId(new_id())


async def test_a_reader_sees_the_pieces_put_together(log: OutputLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, outputs.said(ONE, text(0, "Hello "), at=NOW))
    await log.append(run, outputs.said(ONE, item(1, {"n": 1}), at=NOW))
    await log.append(run, outputs.said(ONE, text(2, "world"), at=NOW))

    state = await state_of(log, run)

    assert state["text"] == "Hello world"
    assert state["items"] == [{"n": 1}]


async def test_a_piece_is_told_as_what_to_append(log: OutputLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, outputs.said(ONE, text(0, "Hello"), at=NOW))

    events = [each.event for each in (await log.since(run, Seq(1))).events]

    assert [(each.kind, each.data, each.patch) for each in events] == [
        (EventKind.OUTPUT_DELTA, {"text": "Hello"}, {})
    ]


async def test_what_a_dead_attempt_said_is_taken_back(log: OutputLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, outputs.said(ONE, text(0, "Half a sent"), at=NOW))

    await log.append(run, outputs.began(TWO, at=NOW, again=True), milestone=2)
    await log.append(run, outputs.said(TWO, text(0, "A whole one."), at=NOW))

    assert (await state_of(log, run))["text"] == "A whole one."


async def test_an_attempt_that_was_taken_over_says_nothing_more(log: OutputLog, run: RunId) -> None:
    await begin(log, run)
    await log.append(run, outputs.began(TWO, at=NOW, again=True), milestone=2)

    with pytest.raises(AttemptFenced):
        await log.append(run, outputs.said(ONE, text(0, "I am back"), at=NOW))


async def test_output_and_events_of_a_run_are_kept_apart(run: RunId, redis: object) -> None:
    events: EventLog = RedisEventLog(redis)  # type: ignore[arg-type]  # the fixture's Redis
    output = OutputLog(RedisEventLog(redis, channel=Channel.OUTPUT))  # type: ignore[arg-type]  # see above

    await begin(output, run)

    assert await events.snapshot(run) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    spoken=st.lists(
        st.one_of(st.text(max_size=5), st.integers().map(lambda number: {"n": number})),
        max_size=12,
    ),
    died_after=st.integers(min_value=0, max_value=12),
)
async def test_what_is_told_adds_up_to_the_snapshot(
    spoken: list[str | dict[str, int]], died_after: int
) -> None:
    log, run = OutputLog(MemoryEventLog()), RunId(new_id())
    await begin(log, run)
    await say(log, run, ONE, spoken[:died_after])
    await log.append(run, outputs.began(TWO, at=NOW, again=True), milestone=2)
    await say(log, run, TWO, spoken)
    patch = {"status": "succeeded", "output": {"said": len(spoken)}}
    await log.append(run, outputs.ended(EventKind.SUCCEEDED, TWO, at=NOW, patch=patch), milestone=3)

    told = [each.event for each in (await log.since(run, Seq(0))).events]

    assert outputs.fold({}, told) == await state_of(log, run)


async def test_a_lost_stream_is_begun_again_with_all_that_was_said(
    log: OutputLog, run: RunId
) -> None:
    pieces = [text(0, "Hello "), item(1, [1]), text(2, "world")]

    await log.seed(
        run, outputs.stored(ONE, pieces), seq=Seq(99), milestones=1, attempt=ONE, ended=False
    )

    state = await state_of(log, run)
    assert (state["text"], state["items"]) == ("Hello world", [[1]])


async def test_a_result_is_kept_once_and_read_back(database: Database, tenant: TenantId) -> None:
    first = Result(text="a", items=[1], output={"n": 1})
    last = Result(text="b", items=[], output=None)
    async with database.transaction() as tx:
        run = await runs.ask(tx, tenant, workflow="brief", title="A brief", input={})
        await results.keep(tx, tenant, run.id, first)

        await results.keep(tx, tenant, run.id, last)

    async with database.reading() as tx:
        assert await results.find(tx, run.id) == last
        assert await results.find(tx, RunId(new_id())) is None


def text(number: int, value: str) -> Piece:
    return Piece(number, EventKind.OUTPUT_DELTA, value)


def item(number: int, value: object) -> Piece:
    return Piece(number, EventKind.OUTPUT_ITEM, value)


async def begin(log: OutputLog, run: RunId) -> None:
    event: Event = outputs.began(ONE, at=NOW, again=False)
    await log.append(run, event, milestone=1)


async def say(
    log: OutputLog, run: RunId, attempt: Attempt, spoken: list[str | dict[str, int]]
) -> None:
    for number, each in enumerate(spoken):
        piece = text(number, each) if isinstance(each, str) else item(number, each)
        await log.append(run, outputs.said(attempt, piece, at=NOW))


async def state_of(log: OutputLog, run: RunId) -> State:
    snapshot = await log.snapshot(run)
    assert snapshot is not None
    return snapshot.state
