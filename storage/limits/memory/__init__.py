"""The limiter's state in this process: the same promises as in Redis, for a single program.

It is the script in Python, part by part, so that a stopped clock can try in a second what takes
hours; ``lose`` is what FLUSHALL is there.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from storage.limits.memory.pool import Lease, Pool
from storage.limits.memory.queue import Waiting
from storage.limits.memory.settling import Settling
from storage.limits.values import (
    Answer,
    Delivery,
    Dimension,
    PoolId,
    ProcessId,
    TicketId,
    Turn,
    Urgency,
)

RESERVE, MOST, SILENT_SECONDS = 0.15, 200, 3.0

Inboxes = dict[tuple[PoolId, ProcessId], deque[Delivery]]


@dataclass(slots=True)
class MemoryRoom:
    clock: Callable[[], float] = time.monotonic

    _pools: dict[PoolId, Pool] = field(init=False, default_factory=dict[PoolId, Pool])
    _inboxes: Inboxes = field(init=False, default_factory=lambda: defaultdict(deque[Delivery]))
    _grown: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def turn(self, pool: PoolId, turn: Turn) -> Answer:
        now, state = self.clock(), self._pools.setdefault(pool, Pool())
        known = _is_alive(state, turn.process, now)
        state.configure(turn.terms, now)
        state.refill(now)
        self._take_in(state, turn, now)
        self._reap(pool, state, now)
        granted, wait = self._pump(pool, state, turn, now)
        pause = max(0.0, state.pause_until - now)
        down_since = state.breaker.down_since
        return Answer(
            known=known,
            granted=granted,
            wait_seconds=wait,
            pause_seconds=pause,
            down_seconds=0.0 if down_since is None else now - down_since,
            reason=state.reason if pause else None,
            rates={name: bucket.pace(now) for name, bucket in state.buckets.items()},
            processes=sum(_is_alive(state, process, now) for process in state.alive),
            in_flight=len(state.leases),
        )

    async def deliveries(
        self, pool: PoolId, process: ProcessId, *, patience_seconds: float
    ) -> Sequence[Delivery]:
        inbox = self._inboxes[pool, process]
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                while not inbox:
                    await self._grown.wait()
        found = list(inbox)
        inbox.clear()
        return found

    def lose(self) -> None:
        self._pools.clear()
        self._inboxes.clear()

    def _take_in(self, state: Pool, turn: Turn, now: float) -> None:
        state.alive[turn.process] = now
        for lease in filter(None, map(state.leases.get, turn.beat)):
            lease.ends = now + turn.terms.lease.total_seconds()
        settling = Settling(state, turn.terms, now)
        for ticket, outcome in turn.settle:
            settling.settle(ticket, outcome)
        for ticket in turn.withdraw:
            state.queue.drop(ticket)
        new = [each for each in turn.enqueue if each.id not in state.leases]
        for each in new:
            state.queue.add(Waiting(each, turn.process), reserved=_reserved(state))
        if turn.resume:
            state.pause_until, state.breaker.canary = 0.0, None
        if turn.leave:
            del state.alive[turn.process]

    def _reap(self, pool: PoolId, state: Pool, now: float) -> None:
        for ticket in [name for name, lease in state.leases.items() if lease.ends <= now]:
            lease = state.leases.pop(ticket)
            if state.breaker.canary == ticket:
                state.breaker.canary = None
            if _is_alive(state, lease.process, now):
                self._deliver(pool, lease.process, Delivery(ticket=ticket, lapsed=True))

    def _pump(self, pool: PoolId, state: Pool, turn: Turn, now: float) -> tuple[int, float | None]:
        for count in range(MOST):
            waiting = _first(state, now)
            if waiting is None:
                state.short = None
                return count, None
            if wait := _wait(state, waiting, now):
                return count, wait
            self._grant(pool, state, waiting, now, turn.terms.lease.total_seconds())
        return MOST, 0.0

    def _grant(
        self, pool: PoolId, state: Pool, waiting: Waiting, now: float, seconds: float
    ) -> None:
        ticket = waiting.ticket
        granted = {
            name: state.buckets[name].take(amount)
            for name, amount in ticket.cost.items()
            if name in state.buckets
        }
        state.queue.bill(ticket)
        state.leases[ticket.id] = Lease(ticket.cost, granted, now, waiting.process, now + seconds)
        if state.breaker.down_since is not None:
            state.breaker.canary = ticket.id
        self._deliver(pool, waiting.process, Delivery(ticket=TicketId(ticket.id)))

    def _deliver(self, pool: PoolId, process: ProcessId, delivery: Delivery) -> None:
        self._inboxes[pool, process].append(delivery)
        self._grown.set()
        self._grown = asyncio.Event()


def _is_alive(state: Pool, process: ProcessId, now: float) -> bool:
    return now - state.alive.get(process, -1e9) <= SILENT_SECONDS


def _reserved(state: Pool) -> float:
    """Tokens of the burst that are for interactive calls alone."""
    bursts = [b.burst for name, b in state.buckets.items() if name is not Dimension.REQUESTS]
    return RESERVE * max(bursts, default=0.0)


def _first(state: Pool, now: float) -> Waiting | None:
    """The ticket whose turn it is, of a process that lives to use it."""
    while waiting := state.queue.first():
        if _is_alive(state, waiting.process, now):
            return waiting
        state.queue.drop(waiting.ticket.id)
    return None


def _wait(state: Pool, waiting: Waiting, now: float) -> float:
    """Seconds until this ticket may go; 0 if it may."""
    if now < state.pause_until:
        return state.pause_until - now
    if state.breaker.down_since is not None and state.breaker.canary:
        return 1.0  # whoever settles it pumps
    if state.cap and len(state.leases) >= int(state.cap):
        return 1.0
    reserve = 0.0 if waiting.ticket.urgency is Urgency.INTERACTIVE else RESERVE
    longest = 0.0
    for name, amount in waiting.ticket.cost.items():
        bucket = state.buckets.get(name)
        seconds = bucket.shortage(amount, now, reserve=reserve) if bucket else 0.0
        if seconds > max(longest, 1e-9):
            longest, state.short = seconds, name
    return longest
