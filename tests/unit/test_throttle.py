"""How fast a credential asks, and that everybody sees why it waits."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import SourceUnavailable
from connectors.events import Waiting
from connectors.throttle import Bell, Clock, Governor, Rate, Turnstile, identify, shared

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class Watch:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = NOON
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


def test_rate_holds_in_any_span() -> None:
    governor = Governor((Rate(3, MINUTE),))

    asked = [governor.ask(1, now=NOON + 10 * n * SECOND) for n in range(4)]

    assert asked == [None, None, None, NOON + MINUTE]
    assert governor.ask(1, now=NOON + MINUTE) is None
    assert governor.ask(2, now=NOON + MINUTE) == NOON + MINUTE + 20 * SECOND


def test_refused_call_books_nothing() -> None:
    governor = Governor((Rate(5, MINUTE),))
    governor.ask(3, now=NOON)

    refused = [governor.ask(3, now=NOON) for _ in range(10)]

    assert set(refused) == {NOON + MINUTE}
    assert governor.ask(2, now=NOON) is None


def test_pools_do_not_share_their_rates() -> None:
    governor = Governor((Rate(1, MINUTE, "rest"), Rate(1, MINUTE, "graphql")))

    assert governor.ask(1, now=NOON, pool="rest") is None
    assert governor.ask(1, now=NOON, pool="graphql") is None
    assert governor.ask(1, now=NOON, pool="rest") == NOON + MINUTE


def test_pause_of_a_pool_leaves_the_others_alone() -> None:
    governor = Governor(())
    governor.pause(NOON + MINUTE, pool="rest")

    assert governor.ask(1, now=NOON, pool="rest") == NOON + MINUTE
    assert governor.ask(1, now=NOON, pool="graphql") is None


def test_shorter_pause_does_not_end_a_longer_one() -> None:
    governor = Governor(())
    governor.pause(NOON + MINUTE)
    governor.pause(NOON + SECOND)

    assert governor.ask(1, now=NOON) == NOON + MINUTE


def test_refusals_in_a_row_wait_twice_as_long_each_time() -> None:
    governor = Governor(())

    waits = [governor.strike(now=NOON) - NOON for _ in range(3)]
    governor.well()

    assert waits == [MINUTE, 2 * MINUTE, 4 * MINUTE]
    assert governor.strike(now=NOON + 10 * MINUTE) == NOON + 11 * MINUTE


def test_call_that_is_larger_than_the_rate_is_left_to_the_provider() -> None:
    assert Governor((Rate(3, MINUTE),)).ask(10, now=NOON) is None


def test_those_with_the_same_credential_share_a_governor() -> None:
    rates = (Rate(3, MINUTE),)

    assert shared(identify("token", "a"), rates) is shared(identify("token", "a"), rates)
    assert shared(identify("token", "a"), rates) is not shared(identify("token", "b"), rates)
    assert "secret" not in identify("secret")


async def test_wait_is_told_while_it_lasts() -> None:
    watch, governor, bell = Watch(), Governor(()), Bell()
    turnstile = Turnstile(governor, bell, watch.clock)
    governor.pause(NOON + 40 * MINUTE)

    async def pages() -> AsyncGenerator[list[str]]:
        await turnstile.turn(1)
        yield ["a", "b"]

    told = [event async for event in bell.over(pages())]

    assert told == [Waiting("rate_limited", NOON + 40 * MINUTE), "a", "b"]
    assert watch.slept == [2400.0]


async def test_long_wait_that_nobody_hears_of_is_not_waited_for() -> None:
    watch, governor = Watch(), Governor(())
    governor.pause(NOON + 40 * MINUTE)

    with pytest.raises(SourceUnavailable) as refusal:
        await Turnstile(governor, clock=watch.clock).turn(1)

    assert refusal.value.retry_after == 40 * MINUTE
    assert watch.slept == []


async def test_next_page_is_not_asked_for_before_this_one_was_taken() -> None:
    asked: list[int] = []

    async def pages() -> AsyncGenerator[list[int]]:
        for number in range(3):
            asked.append(number)
            yield [number, number]

    taken = 0
    async for _ in Bell().over(pages()):
        taken += 1
        assert len(asked) == (taken + 1) // 2


async def test_leaving_early_closes_what_was_being_read() -> None:
    closed = asyncio.Event()

    async def pages() -> AsyncGenerator[list[int]]:
        try:
            yield [1, 2]
        finally:
            closed.set()

    events = Bell().over(pages())
    await anext(events)
    await events.aclose()

    assert closed.is_set()


async def test_error_comes_out_as_it_is() -> None:
    async def pages() -> AsyncGenerator[list[int]]:
        yield [1]
        raise SourceUnavailable("gone")

    told = []
    with pytest.raises(SourceUnavailable, match="gone"):
        told += [event async for event in Bell().over(pages())]
