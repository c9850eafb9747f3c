"""The calls of one process that wait, those under way, and what is still to be told to the room."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from storage.limits.values import (
    Amounts,
    Delivery,
    Ending,
    Outcome,
    ProcessId,
    Terms,
    Ticket,
    TicketId,
    Turn,
    Urgency,
)

AT_ONCE = 200
"""Tickets a turn, so that a long queue does not keep Redis from everybody else."""

NEVER_MADE = Outcome(ending=Ending.UNUSED, charged={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to make one call now, to be settled however it goes.

    ``local``: given without Redis, from this process's own share.
    """

    ticket: TicketId
    tenant: str
    urgency: Urgency
    cost: Amounts
    waited_seconds: float
    local: bool


@dataclass(slots=True)
class Waiter:
    ticket: Ticket
    since: float
    granted: asyncio.Future[Grant]


@dataclass(slots=True)
class Waiters:
    waiting: dict[TicketId, Waiter] = field(default_factory=dict[TicketId, Waiter])
    leases: set[TicketId] = field(default_factory=set[TicketId])
    untold: deque[Ticket] = field(default_factory=deque[Ticket])
    withdrawn: list[TicketId] = field(default_factory=list[TicketId])
    settled: list[tuple[TicketId, Outcome]] = field(default_factory=list[tuple[TicketId, Outcome]])

    @property
    def has_news(self) -> bool:
        return bool(self.untold or self.withdrawn or self.settled)

    def add(self, ticket: Ticket, now: float) -> Waiter:
        waiter = Waiter(ticket, now, asyncio.get_running_loop().create_future())
        self.waiting[ticket.id] = waiter
        self.untold.append(ticket)
        return waiter

    def abandon(self, waiter: Waiter) -> None:
        """Nobody wants this call any more, granted or not."""
        ticket = waiter.ticket.id
        if self.waiting.pop(ticket, None):
            self.withdrawn.append(ticket)
        else:
            self.settle(ticket, NEVER_MADE)

    def settle(self, ticket: TicketId, outcome: Outcome) -> None:
        self.leases.discard(ticket)
        self.settled.append((ticket, outcome))

    def grant(self, ticket: TicketId, now: float, *, local: bool) -> None:
        waiter = self.waiting.pop(ticket, None)
        if waiter is None or waiter.granted.done():
            self.settle(ticket, NEVER_MADE)
            return
        if local:
            self.withdrawn.append(ticket)
        else:
            self.leases.add(ticket)
        call = waiter.ticket
        waiter.granted.set_result(
            Grant(
                ticket=ticket,
                tenant=call.tenant,
                urgency=call.urgency,
                cost=call.cost,
                waited_seconds=now - waiter.since,
                local=local,
            )
        )

    def receive(self, deliveries: Sequence[Delivery], now: float) -> None:
        """A grant that lapsed before it was read goes back into the queue, unused.

        A process that was frozen finds both in its inbox: the provider's limit is not its own any
        more by then. A call under way is left alone: it was charged when it began.
        """
        lapsed = {each.ticket for each in deliveries if each.lapsed}
        self.leases -= lapsed
        for each in deliveries:
            if each.lapsed and (waiter := self.waiting.get(each.ticket)):
                self.untold.append(waiter.ticket)
            elif not each.lapsed and each.ticket not in lapsed:
                self.grant(each.ticket, now, local=False)

    def fail(self, error: BaseException) -> None:
        """Everybody who waits is told this instead."""
        for ticket, waiter in self.waiting.items():
            self.withdrawn.append(ticket)
            if not waiter.granted.done():
                waiter.granted.set_exception(error)
        self.waiting.clear()
        self.untold.clear()

    def take(self, process: ProcessId, terms: Terms, *, beat: bool) -> Turn:
        """What to tell the room; give it ``back`` if it did not hear it."""
        told = [self.untold.popleft() for _ in range(min(AT_ONCE, len(self.untold)))]
        withdrawn, self.withdrawn = self.withdrawn, []
        settled, self.settled = self.settled, []
        return Turn(
            process=process,
            terms=terms,
            enqueue=tuple(each for each in told if each.id in self.waiting),
            withdraw=tuple(withdrawn),
            settle=tuple(settled),
            beat=tuple(self.leases) if beat else (),
        )

    def back(self, turn: Turn) -> None:
        self.untold.extendleft(reversed(turn.enqueue))
        self.withdrawn[:0] = turn.withdraw
        self.settled[:0] = turn.settle

    def say_again(self, told_just_now: Iterable[Ticket]) -> None:
        """The room has forgotten us: tell it of everybody who waits."""
        known = {ticket.id for ticket in (*told_just_now, *self.untold)}
        missing = (each.ticket for each in self.waiting.values() if each.ticket.id not in known)
        self.untold.extend(islice(missing, len(self.waiting)))
