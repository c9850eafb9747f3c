"""What holds of the limiter whatever is asked of it: never too much, never idle, nobody starved."""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.limits.values import Limit, Terms, TicketId, Urgency
from tests.rationing import TOKENS, Hands, Process, make_hands

TERMS = Terms(limits={TOKENS: Limit(amount=60_000)}, use=0.9)
RATE, BURST = 900.0, 6_000.0
SLACK = 1e-6


@dataclass(frozen=True)
class Arrival:
    seconds: float
    tokens: int
    tenant: str
    urgency: Urgency


ARRIVALS = st.lists(
    st.builds(
        Arrival,
        seconds=st.floats(0, 8, allow_nan=False),
        tokens=st.integers(1, int(BURST * 0.85)),
        tenant=st.sampled_from("abcd"),
        urgency=st.sampled_from(Urgency),
    ),
    min_size=1,
    max_size=60,
)


@dataclass(frozen=True)
class Granted:
    at: float
    tokens: float


@settings(max_examples=150, deadline=None)
@given(arrivals=ARRIVALS)
def test_no_span_of_time_sees_more_than_rate_and_burst(arrivals: list[Arrival]) -> None:
    granted, _ = asyncio.run(played(arrivals))

    for at, first in enumerate(granted):
        through = 0.0
        for each in granted[at:]:
            through += each.tokens
            assert through <= RATE * (each.at - first.at) + BURST + SLACK


@settings(max_examples=150, deadline=None)
@given(arrivals=ARRIVALS)
def test_everything_asked_is_granted_in_the_time_that_it_takes(arrivals: list[Arrival]) -> None:
    """Work-conserving: as if there were but one queue, and the reserve the only idle part."""
    granted, seconds = asyncio.run(played(arrivals))

    whole = sum(arrival.tokens for arrival in arrivals)
    assert sum(each.tokens for each in granted) == whole
    last_came = sum(arrival.seconds for arrival in arrivals)
    assert seconds <= last_came + (whole + BURST) / RATE + 0.2


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.fixed_dictionaries({name: st.integers(20, 3_000) for name in "abc"}),
    seconds=st.integers(60, 180),
)
def test_tenants_that_always_wait_are_never_far_apart(sizes: dict[str, int], seconds: int) -> None:
    """The bound of a virtual token counter: twice the largest call (arXiv 2401.00588)."""
    shares = asyncio.run(contended(sizes, seconds))

    assert max(shares.values()) - min(shares.values()) <= 2 * max(sizes.values())


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 20_000))
def test_no_call_is_too_large_to_be_granted_among_small_ones(size: int) -> None:
    seconds = asyncio.run(until_granted(size))

    assert seconds <= 2 * (size + BURST) / RATE + 30


async def played(arrivals: list[Arrival]) -> tuple[list[Granted], float]:
    """Grants as they come, the clock going to each wake time; and how long it took."""
    hands = await make_hands(None)
    process = Process(hands, terms=TERMS)
    began, granted = hands.now, list[Granted]()
    tokens = dict[TicketId, int]()
    await process.turn()
    for arrival in arrivals:
        await moved(process, arrival.seconds, granted, tokens)
        ticket = process.ticket(
            cost={TOKENS: arrival.tokens}, tenant=arrival.tenant, urgency=arrival.urgency
        )
        tokens[ticket.id] = arrival.tokens
        collect(granted, tokens, await process.turn(enqueue=[ticket]), hands)
    while process.answer and process.answer.wait_seconds is not None:
        await moved(process, process.answer.wait_seconds + 1e-9, granted, tokens)
    return granted, hands.now - began


async def moved(
    process: Process, seconds: float, granted: list[Granted], tokens: dict[TicketId, int]
) -> None:
    """Let time pass, waking when the pool says so and at least once a second."""
    hands = process.hands
    end = hands.now + seconds
    while hands.now < end:
        wait = (process.answer and process.answer.wait_seconds) or 1.0
        await hands.advance(min(wait + 1e-9, 1.0, end - hands.now))
        collect(granted, tokens, await process.turn(beat=list(tokens)), hands)


def collect(
    granted: list[Granted], tokens: dict[TicketId, int], tickets: list[TicketId], hands: Hands
) -> None:
    granted.extend(Granted(hands.now, tokens[ticket]) for ticket in tickets)


async def contended(sizes: dict[str, int], seconds: int) -> dict[str, float]:
    process = Process(await make_hands(None), terms=TERMS)
    queued = {tenant: deque[TicketId]() for tenant in sizes}
    shares: dict[str, float] = defaultdict(float, dict.fromkeys(sizes, 0.0))
    for _ in range(seconds * 2):
        new = [
            process.ticket(cost={TOKENS: size}, tenant=tenant)
            for tenant, size in sizes.items()
            for _ in range(60 - len(queued[tenant]))
        ]
        for ticket in new:
            queued[ticket.tenant].append(ticket.id)
        for ticket_id in await process.turn(enqueue=new):
            tenant = ticket_id.split("-")[1]
            queued[tenant].remove(ticket_id)
            shares[tenant] += sizes[tenant]
        await process.hands.advance(0.5)
    return shares


async def until_granted(size: int) -> float:
    process = Process(await make_hands(None), terms=TERMS)
    await process.turn()
    large = process.ticket(cost={TOKENS: size}, tenant="large")
    small = [process.ticket(cost={TOKENS: 50}, tenant="small") for _ in range(2_000)]
    began = process.hands.now
    found = await process.turn(enqueue=[*small, large])
    while large.id not in found:
        await process.hands.advance(0.5)
        found = await process.turn()
    return process.hands.now - began
