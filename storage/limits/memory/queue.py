"""Who is next: classes, and in each class tenants, by virtual time (``queue.lua``)."""

from collections import deque
from dataclasses import dataclass, field

from storage.limits.values import Amounts, Dimension, ProcessId, Ticket, TicketId, Urgency

WEIGHTS = {Urgency.INTERACTIVE: 16, Urgency.ONBOARDING: 4, Urgency.SCHEDULED: 1}


@dataclass(frozen=True, slots=True)
class Waiting:
    ticket: Ticket
    process: ProcessId


@dataclass(slots=True)
class Times:
    """Virtual times: of those that wait, and what those had that do not."""

    waiting: dict[str, float] = field(default_factory=dict[str, float])
    spent: dict[str, float] = field(default_factory=dict[str, float])
    floor: float = 0.0

    def join(self, member: str, *, credit: float = 0.0) -> None:
        """At the least time of those that wait: having been idle saves up the credit at most."""
        least = min(self.waiting.values(), default=self.floor) - credit
        self.waiting[member] = max(self.spent.get(member, 0.0), least)

    def leave(self, member: str) -> None:
        self.spent[member] = self.waiting.pop(member)

    def least(self) -> str | None:
        return min(self.waiting, key=lambda name: (self.waiting[name], name), default=None)

    def bill(self, member: str, amount: float) -> None:
        self.floor = self.waiting[member]
        self.waiting[member] += amount


@dataclass(slots=True)
class Queue:
    classes: Times = field(default_factory=Times)
    tenants: dict[Urgency, Times] = field(
        default_factory=lambda: {urgency: Times() for urgency in Urgency}
    )
    lines: dict[tuple[Urgency, str], deque[TicketId]] = field(
        default_factory=dict[tuple[Urgency, str], deque[TicketId]]
    )
    tickets: dict[TicketId, Waiting] = field(default_factory=dict[TicketId, Waiting])

    def add(self, waiting: Waiting, *, reserved: float) -> None:
        """``reserved`` is the part of the burst that is for interactive calls alone."""
        ticket = waiting.ticket
        if ticket.id in self.tickets:
            return
        self.tickets[ticket.id] = waiting
        line = self.lines.setdefault((ticket.urgency, ticket.tenant), deque[TicketId]())
        line.append(ticket.id)
        if len(line) > 1:
            return
        tenants = self.tenants[ticket.urgency]
        if not tenants.waiting:
            interactive = ticket.urgency is Urgency.INTERACTIVE
            credit = reserved / WEIGHTS[ticket.urgency] if interactive else 0.0
            self.classes.join(_name(ticket.urgency), credit=credit)
        tenants.join(ticket.tenant)

    def drop(self, ticket: TicketId) -> None:
        waiting = self.tickets.pop(ticket, None)
        if waiting is None:
            return
        urgency, tenant = waiting.ticket.urgency, waiting.ticket.tenant
        line = self.lines[urgency, tenant]
        line.remove(ticket)
        if line:
            return
        del self.lines[urgency, tenant]
        tenants = self.tenants[urgency]
        tenants.leave(tenant)
        if not tenants.waiting:
            self.classes.leave(_name(urgency))

    def first(self) -> Waiting | None:
        rank = self.classes.least()
        if rank is None:
            return None
        urgency = list(Urgency)[int(rank)]
        tenant = self.tenants[urgency].least()
        return self.tickets[self.lines[urgency, tenant or ""][0]]

    def bill(self, ticket: Ticket) -> None:
        """Charge the ticket to its tenant and its class, and take it out."""
        amount = size(ticket.cost)
        self.tenants[ticket.urgency].bill(ticket.tenant, amount)
        self.classes.bill(_name(ticket.urgency), amount / WEIGHTS[ticket.urgency])
        self.drop(ticket.id)


def size(cost: Amounts) -> float:
    """One size for fairness: tokens of all kinds, or the request where tokens are not counted."""
    tokens = sum(amount for name, amount in cost.items() if name is not Dimension.REQUESTS)
    return tokens or cost.get(Dimension.REQUESTS, 1)


def _name(urgency: Urgency) -> str:
    return str(urgency.rank)
