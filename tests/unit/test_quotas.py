"""A tenant's share of the api: what is let in, what is told, and what is given back."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.problems import Code, Problem
from api.quotas import Quotas
from api.settings import Share
from storage.ids import TenantId

ACME, OTHER = TenantId(uuid4()), TenantId(uuid4())


@dataclass
class StoppedClock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def quotas(clock: StoppedClock) -> Quotas:
    return Quotas(Share(a_minute=60, at_once=2, streams=3), clock)


def use_up(quotas: Quotas, requests: int) -> None:
    for _ in range(requests):
        quotas.admit(ACME, stream=False).leave()


def refused(quotas: Quotas, *, stream: bool = False) -> Problem:
    with pytest.raises(Problem) as caught:
        quotas.admit(ACME, stream=stream)
    assert caught.value.code is Code.TOO_MANY_REQUESTS
    return caught.value


def test_every_answer_says_what_is_left_and_when_all_is_again(quotas: Quotas) -> None:
    use_up(quotas, 9)

    seat = quotas.admit(ACME, stream=False)

    assert seat.headers["RateLimit-Policy"] == '"default";q=60;w=60'
    assert seat.headers["RateLimit"] == '"default";r=50;t=10'


def test_who_used_up_a_minute_is_told_when_to_come_again_and_then_let_in(
    quotas: Quotas, clock: StoppedClock
) -> None:
    use_up(quotas, 60)
    problem = refused(quotas)

    clock.now += int(problem.headers["Retry-After"])

    assert problem.headers["RateLimit"] == '"default";r=0;t=60'
    assert quotas.admit(ACME, stream=False).headers


def test_another_tenant_has_a_share_of_its_own(quotas: Quotas) -> None:
    use_up(quotas, 60)

    assert quotas.admit(OTHER, stream=False).headers["RateLimit"] == '"default";r=59;t=1'


def test_no_more_is_worked_on_at_once_than_allowed(quotas: Quotas) -> None:
    first = quotas.admit(ACME, stream=False)
    quotas.admit(ACME, stream=False)
    problem = refused(quotas)
    first.answering()

    assert problem.headers["Retry-After"] == "1"
    assert quotas.admit(ACME, stream=False).headers


def test_a_stream_that_listens_is_not_worked_on_and_has_a_bound_of_its_own(
    quotas: Quotas,
) -> None:
    streams = []
    for _ in range(3):
        seat = quotas.admit(ACME, stream=True)
        seat.answering()
        streams.append(seat)
    problem = refused(quotas, stream=True)
    streams[0].leave()

    assert "streams" in problem.detail
    assert quotas.admit(ACME, stream=True).headers


@given(st.lists(st.sampled_from(["plain", "stream", "answer", "leave", "wait"]), max_size=60))
@settings(max_examples=50)
def test_what_was_let_in_is_given_back_once(steps: list[str]) -> None:
    clock = StoppedClock()
    quotas = Quotas(Share(a_minute=600, at_once=2, streams=2), clock)
    seats = []
    for step in steps:
        try:
            match step:
                case "plain" | "stream":
                    seats.append(quotas.admit(ACME, stream=step == "stream"))
                case "answer" if seats:
                    seats[-1].answering()
                case "leave" if seats:
                    seats[0].leave()
                case _:
                    clock.now += 1
        except Problem:
            clock.now += 1
    for seat in seats:
        seat.leave()
        seat.leave()
    for _ in range(2):
        quotas.admit(ACME, stream=True)
