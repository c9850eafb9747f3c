"""What a component is, from the first line on. Read it from top to bottom."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import cast
from uuid import uuid4

import pytest

from connectors.artifact import FailureClass
from connectors.errors import SourceUnavailable
from pipelines.component import component
from pipelines.context import Context, Retrying, StoppedClock
from pipelines.errors import MustWait, StageFailed
from pipelines.guards import Boundary, Once, Retry, Timeout, Traced
from pipelines.records import MemoryRecords
from pipelines.workshop import Workshop
from storage.errors import AttemptFenced
from storage.events import WaitingReason
from storage.ids import LOCAL_TENANT, Attempt, RunId


class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[Retrying] = []

    def retrying(self, news: Retrying) -> None:
        self.heard.append(news)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def context(clock: StoppedClock, listener: Listener) -> Context:
    """All that a component may reach. A test makes its own."""
    return Context(
        run=RunId(uuid4()),
        attempt=Attempt(1),
        tenant=LOCAL_TENANT,
        records=MemoryRecords(),
        workshop=cast(Workshop, None),  # these here need no other process
        teller=listener,
        clock=clock,
        jitter=lambda: 0.0,
    )


# A component is an async function whose first argument is the context.


async def test_a_component_is_called_like_its_function(context: Context) -> None:
    @component()
    async def greet(context: Context, name: str) -> str:
        return f"Hello, {name}"

    assert await greet(context, "Ada") == "Hello, Ada"


# Guards stand around it, outermost first. The bare function stays within reach.


async def test_the_bare_function_has_no_guards(context: Context) -> None:
    @component(Boundary())
    async def broken(context: Context) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await broken.function(context)


# Boundary: what nobody foresaw is a failure that can be told, with its cause.


async def test_boundary_names_the_component_and_keeps_the_cause(context: Context) -> None:
    @component(Traced(), Boundary())
    async def broken(context: Context) -> None:
        raise KeyError("x")

    with pytest.raises(StageFailed, match="broken failed") as caught:
        await broken(context)

    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.explanation.failure is FailureClass.INTERNAL


async def test_boundary_believes_an_error_that_says_its_class(context: Context) -> None:
    class Torn(Exception):
        failure = FailureClass.MALFORMED
        action = "Mend it."

    @component(Boundary())
    async def read(context: Context) -> None:
        raise Torn("page 3 is torn")

    with pytest.raises(StageFailed) as caught:
        await read(context)

    told = caught.value.explanation
    assert (told.failure, told.detail, told.action) == ("malformed", "page 3 is torn", "Mend it.")


async def test_boundary_lets_pass_what_the_run_must_decide_about(context: Context) -> None:
    @component(Boundary())
    async def late(context: Context) -> None:
        raise AttemptFenced("another attempt is at it")

    with pytest.raises(AttemptFenced):
        await late(context)


# Once: equal keys are worked on once, whatever run they are in.


@dataclass(frozen=True)
class Letter:
    digest: str
    body: str


async def test_once_works_on_equal_keys_once(context: Context) -> None:
    worked_on: list[str] = []

    @component(Once(version=1), key=attrgetter("digest"))
    async def cut(context: Context, letter: Letter) -> list[tuple[int, str]]:
        worked_on.append(letter.body)
        return [(1, letter.body)]

    letter = Letter("d1", "Dear Ada")

    assert await cut(context, letter) == await cut(context, letter) == [(1, "Dear Ada")]
    assert worked_on == ["Dear Ada"]


async def test_once_takes_all_arguments_for_the_key_when_none_is_named(context: Context) -> None:
    added: list[tuple[int, int]] = []

    @component(Once())
    async def add(context: Context, one: int, other: int = 0) -> int:
        added.append((one, other))
        return one + other

    sums = [await add(context, 1, 2), await add(context, 1, 2), await add(context, 1, other=3)]

    assert sums == [3, 3, 4]
    assert added == [(1, 2), (1, 3)]


async def test_a_new_version_is_worked_on_again(context: Context) -> None:
    async def read(context: Context, text: str) -> str:
        worked_on.append(text)
        return text.upper()

    worked_on: list[str] = []
    for version in (1, 2, 1):
        await component(Once(version=version), key=str)(read)(context, "a")

    assert worked_on == ["a", "a"]


async def test_once_keeps_none_for_an_answer_too(context: Context) -> None:
    asked: list[str] = []

    @component(Once(), key=str)
    async def find(context: Context, name: str) -> str | None:
        asked.append(name)
        return None

    assert await find(context, "x") is await find(context, "x") is None
    assert asked == ["x"]


async def test_what_fails_is_not_kept(context: Context) -> None:
    tries: list[str] = []

    @component(Once(), key=str)
    async def fragile(context: Context, name: str) -> str:
        tries.append(name)
        if len(tries) == 1:
            raise TimeoutError
        return name

    with pytest.raises(TimeoutError):
        await fragile(context, "x")

    assert await fragile(context, "x") == "x"


# Retry: the only layer that tries again, as the error asks or twice as long each time.


async def test_retry_waits_twice_as_long_each_time(context: Context, clock: StoppedClock) -> None:
    @component(Retry(on=(TimeoutError,), attempts=4, first_wait=timedelta(seconds=1)))
    async def flaky(context: Context) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await flaky(context)

    assert clock.slept == [1.0, 2.0, 4.0]


async def test_retry_waits_as_long_as_the_source_asks(
    context: Context, clock: StoppedClock
) -> None:
    calls: list[str] = []

    @component(Retry(on=(SourceUnavailable,)))
    async def throttled(context: Context, name: str) -> str:
        calls.append(name)
        if len(calls) == 1:
            raise SourceUnavailable("too many calls", retry_after=timedelta(seconds=30))
        return name

    assert await throttled(context, "x") == "x"
    assert clock.slept == [30.0]


async def test_retry_tells_who_watches(context: Context, listener: Listener) -> None:
    @component(Retry(on=(TimeoutError,), attempts=2))
    async def flaky(context: Context) -> None:
        raise TimeoutError("no answer")

    with pytest.raises(TimeoutError):
        await flaky(context)

    [news] = listener.heard
    assert (news.component, news.attempt, news.of, news.reason) == ("flaky", 2, 2, "no answer")


async def test_retry_leaves_other_errors_alone(context: Context, clock: StoppedClock) -> None:
    @component(Retry(on=(TimeoutError,)))
    async def wrong(context: Context) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # it has no message
        await wrong(context)

    assert clock.slept == []


# Timeout: a call that takes too long ends, and says how long that was.


async def test_timeout_gives_up(context: Context) -> None:
    @component(Timeout(0.01))
    async def endless(context: Context) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError, match=r"endless took longer than 0\.01 s"):
        await endless(context)


# The order of guards is the order of their promises: here each try has its own time.


async def test_guards_compose_from_the_outside_in(context: Context, clock: StoppedClock) -> None:
    tries: list[int] = []

    @component(Traced(), Boundary(), Once(), Retry(on=(TimeoutError,)), Timeout(5), key=str)
    async def read(context: Context, text: str) -> int:
        tries.append(len(tries))
        if len(tries) < 3:
            raise TimeoutError
        return len(text)

    assert await read(context, "four") == 4
    assert await read(context, "four") == 4
    assert tries == [0, 1, 2]


# Who must wait long does not hold a worker: the run lets go, and a boundary lets that pass.


async def test_a_component_that_must_wait_is_no_failure(context: Context) -> None:
    @component(Traced(), Boundary(), Once())
    async def spend(context: Context) -> str:
        raise MustWait(WaitingReason.BUDGET, "It is spent.", action="Raise it.", until=None)

    with pytest.raises(MustWait, match=r"It is spent\."):
        await spend(context)


async def test_a_source_that_says_to_come_back_in_hours_lets_the_worker_go(
    context: Context, clock: StoppedClock
) -> None:
    @component(Boundary(), Retry(on=(SourceUnavailable,)))
    async def ask(context: Context) -> None:
        raise SourceUnavailable("Too many requests", retry_after=timedelta(hours=2))

    with pytest.raises(MustWait, match="Too many requests") as caught:
        await ask(context)

    assert caught.value.reason is WaitingReason.RATE_LIMITED
    assert caught.value.until == clock.moment + timedelta(hours=2)
    assert clock.slept == []
