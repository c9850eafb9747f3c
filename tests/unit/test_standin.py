"""Granting without Redis: a share that is safe, most urgent first."""

from datetime import timedelta

import pytest

from storage.limits.standin import StandIn
from storage.limits.values import (
    Dimension,
    Ending,
    Limit,
    Outcome,
    Terms,
    Ticket,
    TicketId,
    Urgency,
)

TOKENS = Dimension.TOKENS


@pytest.fixture
def alone() -> StandIn:
    """One of four processes at 1,000 tokens a second."""
    terms = Terms(limits={TOKENS: Limit(amount=60_000)})
    return StandIn(terms=terms, rates={TOKENS: 1_000}, processes=4, at=0)


def ticket(name: str, urgency: Urgency = Urgency.SCHEDULED, tokens: float = 50) -> Ticket:
    return Ticket(id=TicketId(name), tenant=name, urgency=urgency, cost={TOKENS: tokens})


def test_it_begins_empty(alone: StandIn) -> None:
    assert alone.grant([ticket("a")], now=0) == []


def test_all_processes_together_stay_below_the_limit(alone: StandIn) -> None:
    granted = 0
    for step in range(1, 1001):
        waiting = [ticket(f"{step}-{n}") for n in range(20)]
        granted += len(alone.grant(waiting, now=step / 100))

    assert granted * 50 == pytest.approx(10 * 1_000 * 0.85 / 4, abs=150)


def test_the_most_urgent_goes_first(alone: StandIn) -> None:
    waiting = [ticket("later"), ticket("now", Urgency.INTERACTIVE)]

    assert [each.id for each in alone.grant(waiting, now=0.3)] == ["now"]


def test_a_call_larger_than_the_burst_goes_too(alone: StandIn) -> None:
    assert len(alone.grant([ticket("large", tokens=5_000)], now=60)) == 1
    assert alone.grant([ticket("next")], now=61) == []


def test_a_refusal_stops_this_process(alone: StandIn) -> None:
    [granted] = alone.grant([ticket("a")], now=1)
    refused = Outcome(ending=Ending.PACED, retry_after=timedelta(seconds=5))
    alone.settle(refused, now=1)

    assert granted.id == "a"
    assert alone.grant([ticket("b")], now=5.9) == []
    assert len(alone.grant([ticket("b")], now=6.1)) == 1


def test_a_local_server_is_shared_by_calls_at_once() -> None:
    alone = StandIn(terms=Terms(concurrency=10), rates={}, processes=4, at=0)

    assert len(alone.grant([ticket(str(n)) for n in range(10)], now=1)) == 3
