"""A limiter's room with a clock that tests turn, and a process that speaks to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from redis.asyncio import Redis

from storage.limits.memory import MemoryRoom
from storage.limits.redis import RedisRoom
from storage.limits.room import Room
from storage.limits.values import (
    Amounts,
    Answer,
    Dimension,
    Ending,
    Limit,
    Outcome,
    PoolId,
    ProcessId,
    Terms,
    Ticket,
    TicketId,
    Turn,
    Urgency,
)

POOL = PoolId("pool")
TOKENS, REQUESTS = Dimension.TOKENS, Dimension.REQUESTS
TERMS = Terms(limits={TOKENS: Limit(amount=60_000), REQUESTS: Limit(amount=60_000)}, use=0.9)
"""900 tokens a second in bursts of 6,000; requests are no bound."""

RATE, BURST = 900.0, 6_000.0
CLOCK_KEY = "test:clock"
SCRIPTED_CLOCK = f"local now = tonumber(redis.call('GET', '{CLOCK_KEY}'))\n"
ANSWERED = Outcome(ending=Ending.ANSWERED)


@dataclass(slots=True)
class Hands:
    """A room and its clock, in seconds."""

    room: Room
    redis: Redis | None = None
    now: float = 1_000_000.0

    async def advance(self, seconds: float) -> None:
        self.now += seconds
        if self.redis:
            await self.redis.set(CLOCK_KEY, repr(self.now))

    async def lose(self) -> None:
        """What a flushed server has forgotten: all."""
        if self.redis:
            await self.redis.flushall()
        if isinstance(self.room, MemoryRoom):
            self.room.lose()
        await self.advance(0)


async def make_hands(redis: Redis | None) -> Hands:
    hands = Hands(
        RedisRoom(redis, clock=SCRIPTED_CLOCK, answer_seconds=30) if redis else MemoryRoom(), redis
    )
    if isinstance(hands.room, MemoryRoom):
        hands.room.clock = lambda: hands.now
    await hands.advance(0)
    return hands


@dataclass(slots=True)
class Process:
    """Speaks to a room as a broker does, but only when it is told to."""

    hands: Hands
    name: str = "one"
    terms: Terms = TERMS
    answer: Answer | None = None
    _ids: "count[int]" = field(default_factory=count)

    @property
    def id(self) -> ProcessId:
        return ProcessId(self.name)

    async def turn(self, **said: Any) -> list[TicketId]:
        """Say it (as ``say`` takes it), and fetch what this process was granted."""
        await self.say(**said)
        return await self.fetch()

    async def say(
        self,
        *,
        enqueue: Sequence[Ticket] = (),
        withdraw: Sequence[TicketId] = (),
        settle: Sequence[tuple[TicketId, Outcome]] = (),
        beat: Sequence[TicketId] = (),
        leave: bool = False,
        resume: bool = False,
    ) -> None:
        """Say it, and leave what is granted by it in the inbox."""
        self.answer = await self.hands.room.turn(
            POOL,
            Turn(
                process=self.id,
                terms=self.terms,
                enqueue=tuple(enqueue),
                withdraw=tuple(withdraw),
                settle=tuple(settle),
                beat=tuple(beat),
                leave=leave,
                resume=resume,
            ),
        )

    async def fetch(self, *, lapsed: bool = False) -> list[TicketId]:
        found = await self.hands.room.deliveries(POOL, self.id, patience_seconds=0.001)
        return [each.ticket for each in found if each.lapsed is lapsed]

    async def ask(
        self,
        tokens: float = 100,
        *,
        tenant: str = "t",
        urgency: Urgency = Urgency.SCHEDULED,
        times: int = 1,
        cost: Amounts | None = None,
    ) -> list[TicketId]:
        """Queue calls; answers what was granted at once, to this process."""
        return await self.turn(
            enqueue=[
                self.ticket(tokens, tenant=tenant, urgency=urgency, cost=cost) for _ in range(times)
            ]
        )

    def ticket(
        self,
        tokens: float = 100,
        *,
        tenant: str = "t",
        urgency: Urgency = Urgency.SCHEDULED,
        cost: Amounts | None = None,
    ) -> Ticket:
        return Ticket(
            id=TicketId(f"{self.name}-{tenant}-{next(self._ids)}"),
            tenant=tenant,
            urgency=urgency,
            cost=cost or {TOKENS: tokens, REQUESTS: 1},
        )

    async def settle(self, tickets: Sequence[TicketId], outcome: Outcome = ANSWERED) -> None:
        """Say how they went, and leave what is granted by it in the inbox."""
        await self.say(settle=[(ticket, outcome) for ticket in tickets])


def told(
    *, ending: Ending = Ending.ANSWERED, remaining: float, limit: float | None = None
) -> Outcome:
    """An outcome with the provider's count of tokens."""
    return Outcome(
        ending=ending,
        remaining={TOKENS: remaining},
        limits={} if limit is None else {TOKENS: limit},
    )


def refused(after: float = 0.0, ending: Ending = Ending.PACED) -> Outcome:
    return Outcome(ending=ending, retry_after=timedelta(seconds=after))
