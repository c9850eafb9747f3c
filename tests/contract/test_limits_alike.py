"""The script in Redis and its twin in memory decide alike, whatever they are told."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.limits.values import (
    Delivery,
    Ending,
    Limit,
    Outcome,
    Terms,
    Ticket,
    TicketId,
    Urgency,
)
from storage.streams.connect import open_redis
from tests.rationing import POOL, REQUESTS, TOKENS, Hands, Process, make_hands

TERMS = Terms(
    limits={TOKENS: Limit(amount=60_000, learned=True), REQUESTS: Limit(amount=1_200)},
    use=0.9,
    concurrency=8,
)


@dataclass(frozen=True)
class Step:
    """Time passes; one of two processes queues a call and settles the oldest it has."""

    seconds: float
    process: int
    tokens: int
    tenant: str
    urgency: Urgency
    ending: Ending | None
    remaining: int | None
    retry_after: float


STEPS = st.lists(
    st.builds(
        Step,
        seconds=st.sampled_from([0.0, 0.01, 0.3, 2.0, 4.0, 17.0]),
        process=st.integers(0, 1),
        tokens=st.integers(1, 9_000),
        tenant=st.sampled_from(["a", "b", "c"]),
        urgency=st.sampled_from(Urgency),
        ending=st.sampled_from([None, Ending.ANSWERED, *Ending]),
        remaining=st.none() | st.integers(-1, 70_000),
        retry_after=st.sampled_from([0.0, 0.5, 3.0]),
    ),
    max_size=40,
)


@pytest.mark.timeout(300)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_both_rooms_grant_the_same_calls_at_the_same_times(
    redis_url: str, steps: list[Step]
) -> None:
    async def compare() -> None:
        async with open_redis(redis_url) as redis:
            await redis.flushall()
            there = await played(await make_hands(redis), steps)
        here = await played(await make_hands(None), steps)
        assert there == here

    asyncio.run(compare())


Story = list[tuple[str, Any]]


async def played(hands: Hands, steps: list[Step]) -> Story:
    """What each step's process heard, in an order that does not depend on how it is kept."""
    processes = [Process(hands, name, terms=TERMS) for name in ("one", "two")]
    held: list[list[TicketId]] = [[], []]
    story: Story = []
    for step in steps:
        await hands.advance(step.seconds)
        process = processes[step.process]
        settle = []
        if step.ending and held[step.process]:
            settle = [(held[step.process].pop(0), outcome(step))]
        ticket = process.ticket(step.tokens, tenant=step.tenant, urgency=step.urgency)
        await tell(process, ticket, settle)
        found = await inbox(hands, process)
        held[step.process] += [each.ticket for each in found if not each.lapsed]
        story.append(("heard", [(each.ticket, each.lapsed) for each in found]))
        story.append(("told", rounded(process)))
    return story


async def tell(process: Process, ticket: Ticket, settle: list[tuple[TicketId, Outcome]]) -> None:
    await process.say(enqueue=[ticket], settle=settle)


async def inbox(hands: Hands, process: Process) -> list[Delivery]:
    """Looked into only where something must be: waiting for nothing takes its time."""
    if hands.redis and not await hands.redis.exists(f"hw:limits:{{{POOL}}}:inbox:{process.id}"):
        return []
    return list(await hands.room.deliveries(POOL, process.id, patience_seconds=0.001))


def outcome(step: Step) -> Outcome:
    assert step.ending
    return Outcome(
        ending=step.ending,
        charged={} if step.ending is Ending.UNUSED else None,
        remaining={} if step.remaining is None else {TOKENS: step.remaining},
        retry_after=timedelta(seconds=step.retry_after),
    )


def rounded(process: Process) -> dict[str, Any]:
    """The answer; a thousandth is what JSON's fourteen digits leave of a time."""
    answer = process.answer
    assert answer
    return {
        "known": answer.known,
        "granted": answer.granted,
        "waits": answer.wait_seconds is not None,
        "pause": pytest.approx(answer.pause_seconds, abs=0.001),
        "reason": answer.reason,
        "rate": pytest.approx(answer.rates[TOKENS], rel=0.001),
        "processes": answer.processes,
        "in_flight": answer.in_flight,
    }
