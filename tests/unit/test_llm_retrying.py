"""What is asked again, after how long, and what makes a run wait instead."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from pipelines.context import StoppedClock
from pipelines.errors import MustWait
from pipelines.llm.errors import (
    AddressWrong,
    AnswerCut,
    AnswerLost,
    AnswerMalformed,
    CallRejected,
    CreditExhausted,
    KeyRefused,
    ModelError,
    ModelUnknown,
    NotSupported,
    Paced,
    ProviderDown,
    Refused,
    Reply,
    SpentForToday,
    TooLong,
)
from pipelines.llm.fallback import FallingBack
from pipelines.llm.gateway import Call, Caller, Piece
from pipelines.llm.retrying import RetryBudget, Retrying
from pipelines.llm.scripted import ScriptedGateway
from storage.events import WaitingReason
from storage.ids import LOCAL_TENANT

FINE = {"text": "Once upon"}


def call(model: str = "m") -> Call:
    return Call(
        model=model,
        instructions="Tell.",
        content="A story.",
        schema=None,
        max_output_tokens=50,
        input_tokens=5,
        caller=Caller(purpose="tell", tenant=LOCAL_TENANT),
    )


def error(kind: type[ModelError], *, status: int | None = None, wait: float = 0) -> ModelError:
    after = timedelta(seconds=wait) if wait else None
    return kind("It went wrong", model="m", reply=Reply(status=status, retry_after=after))


def retrying(script: ScriptedGateway, clock: StoppedClock) -> Retrying:
    return Retrying(inner=script, clock=clock, budget=RetryBudget(clock), jitter=lambda: 0.0)


async def all_of(pieces: AsyncIterator[Piece]) -> str:
    return "".join([piece.text async for piece in pieces])


async def test_a_busy_provider_is_asked_again_when_it_says() -> None:
    clock = StoppedClock()
    script = ScriptedGateway().then(error(Paced, wait=7), error(Paced), FINE)

    answer = await retrying(script, clock).ask(call())

    assert answer.value == FINE
    assert clock.slept == [7.0, 0.5]


async def test_a_lost_answer_is_asked_for_four_times() -> None:
    clock = StoppedClock()
    script = ScriptedGateway().then(*[error(AnswerLost)] * 4, FINE)

    with pytest.raises(AnswerLost):
        await retrying(script, clock).ask(call())

    assert clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("kind", [AnswerCut, AnswerMalformed, TooLong, Refused, CallRejected])
async def test_the_same_is_not_asked_again_where_it_would_end_the_same(
    kind: type[ModelError],
) -> None:
    script = ScriptedGateway().then(error(kind), FINE)

    with pytest.raises(kind):
        await retrying(script, StoppedClock()).ask(call())

    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (KeyRefused, WaitingReason.INPUT),
        (AddressWrong, WaitingReason.INPUT),
        (ModelUnknown, WaitingReason.INPUT),
        (CreditExhausted, WaitingReason.BUDGET),
    ],
)
async def test_what_a_person_must_mend_makes_the_run_wait(
    kind: type[ModelError], reason: WaitingReason
) -> None:
    clock = StoppedClock()
    script = ScriptedGateway().then(error(kind), FINE)

    with pytest.raises(MustWait) as caught:
        await retrying(script, clock).ask(call())

    assert (caught.value.reason, len(script.asked), clock.slept) == (reason, 1, [])
    assert caught.value.action == kind.action
    assert caught.value.until == clock.now() + timedelta(minutes=10)


async def test_an_outage_gives_the_worker_back_after_a_minute() -> None:
    clock = StoppedClock()
    began = clock.now()
    script = ScriptedGateway(otherwise=lambda _: error(ProviderDown, status=503))

    with pytest.raises(MustWait) as caught:
        await retrying(script, clock).ask(call())

    assert caught.value.reason is WaitingReason.PROVIDER_DOWN
    assert clock.now() - began <= timedelta(minutes=1)
    assert caught.value.until is not None
    assert caught.value.until > clock.now()


async def test_a_limit_of_the_day_gives_the_worker_back_at_once() -> None:
    clock = StoppedClock()
    script = ScriptedGateway().then(error(SpentForToday, wait=7_200))

    with pytest.raises(MustWait) as caught:
        await retrying(script, clock).ask(call())

    assert (caught.value.reason, clock.slept) == (WaitingReason.RATE_LIMITED, [])
    assert caught.value.until == clock.now() + timedelta(hours=2)


class BusyClock(StoppedClock):
    """While one call sleeps, another one is answered."""

    async def sleep(self, seconds: float, /) -> None:
        await super().sleep(seconds)
        await self.meanwhile()

    meanwhile: Callable[[], Awaitable[object]]


async def test_who_is_answered_with_500_while_others_are_not_is_at_fault_itself() -> None:
    clock = BusyClock()
    script = ScriptedGateway()
    gateway = retrying(script, clock)

    def others_are_answered() -> Awaitable[object]:
        script.then(FINE, error(ProviderDown, status=500))
        return gateway.ask(call())

    clock.meanwhile = others_are_answered
    script.then(error(ProviderDown, status=500))

    with pytest.raises(AnswerLost):
        await gateway.ask(call())


async def test_a_server_that_learns_is_asked_again_at_once() -> None:
    clock = StoppedClock()
    script = ScriptedGateway().then(*[error(NotSupported)] * 3, FINE)

    await retrying(script, clock).ask(call())

    assert clock.slept == []


async def test_retries_of_a_whole_process_have_a_budget() -> None:
    clock = StoppedClock()
    budget = RetryBudget(clock)

    waits = [budget.take() for _ in range(13)]

    assert waits[:10] == [0.0] * 10
    assert waits[10:] == [1.0, 2.0, 3.0]


async def test_first_tries_earn_retries() -> None:
    clock = StoppedClock()
    budget = RetryBudget(clock)
    for _ in range(10):
        budget.take()

    for _ in range(20):
        budget.first_try()

    assert [round(budget.take(), 6) for _ in range(3)] == [0.0, 0.0, 1.0]


async def test_a_stream_is_asked_for_again_only_while_nothing_is_out() -> None:
    script = ScriptedGateway().then(error(AnswerLost))
    gateway = retrying(script, StoppedClock())

    with pytest.raises(AnswerLost):
        await all_of(gateway.stream(call()))

    assert len(script.asked) == 1


async def test_a_stream_comes_through_whole() -> None:
    script = ScriptedGateway().then(FINE)

    assert await all_of(retrying(script, StoppedClock()).stream(call())) == "Once upon "


@pytest.mark.parametrize("kind", [ModelUnknown, ProviderDown, AnswerMalformed, TooLong])
async def test_another_model_answers_where_the_first_cannot(kind: type[ModelError]) -> None:
    script = ScriptedGateway().then(error(kind), FINE)

    answer = await FallingBack(script, ["m", "other"]).ask(call())

    assert [asked.model for asked in script.asked] == ["m", "other"]
    assert answer.provenance.model == "other"


async def test_the_first_models_error_is_told_when_none_can() -> None:
    script = ScriptedGateway().then(error(TooLong), error(AnswerMalformed))

    with pytest.raises(TooLong):
        await FallingBack(script, ["other"]).ask(call())


@pytest.mark.parametrize("kind", [Refused, KeyRefused, AnswerCut])
async def test_no_other_model_is_asked_what_the_first_may_not_answer(
    kind: type[ModelError],
) -> None:
    script = ScriptedGateway().then(error(kind), FINE)

    with pytest.raises(kind):
        await FallingBack(script, ["other"]).ask(call())

    assert len(script.asked) == 1
