"""Granting without Redis: a safe share of the limit for each process, until it is back.

The share is the last known rate times 0.85, divided by the processes that were alive; 0.85 because
one may have been started since. Classes go in their order, tenants in turns. It begins empty, for
what Redis granted in its last moments is under way.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.limits.values import Amounts, Dimension, Ending, Outcome, Terms, Ticket

SHARE = 0.85
BURST_SECONDS = 0.5


@dataclass(slots=True)
class StandIn:
    terms: Terms
    rates: Amounts
    processes: int
    at: float
    levels: dict[Dimension, float] = field(
        default_factory=lambda: defaultdict[Dimension, float](float)
    )
    paused_until: float = 0.0
    under_way: int = 0
    _turns: Counter[str] = field(default_factory=Counter[str])

    def grant(self, waiting: Iterable[Ticket], now: float) -> list[Ticket]:
        """What may go now, most urgent first."""
        self._refill(now)
        granted: list[Ticket] = []
        if now < self.paused_until:
            return granted
        for ticket in sorted(waiting, key=self._place):
            if not self._fits(ticket):
                break
            for dimension, amount in ticket.cost.items():
                self.levels[dimension] -= amount
            self._turns[ticket.tenant] += 1
            self.under_way += 1
            granted.append(ticket)
        return granted

    def settle(self, outcome: Outcome, now: float) -> None:
        """A refusal or an outage stops this process for a while; nobody tells it to others."""
        self.under_way -= 1
        if outcome.ending in {Ending.ANSWERED, Ending.UNUSED}:
            return
        seconds = outcome.retry_after.total_seconds() if outcome.retry_after else 1.0
        self.paused_until = max(self.paused_until, now + seconds)

    def _place(self, ticket: Ticket) -> tuple[int, int]:
        return ticket.urgency.rank, self._turns[ticket.tenant]

    def _refill(self, now: float) -> None:
        passed, self.at = max(0.0, now - self.at), now
        for dimension in self.terms.limits:
            share = self._share(dimension)
            level = self.levels[dimension] + share * passed
            self.levels[dimension] = min(share * BURST_SECONDS, level)

    def _fits(self, ticket: Ticket) -> bool:
        cap = self.terms.concurrency
        if cap and self.under_way >= max(1, cap * SHARE / max(1, self.processes)):
            return False
        return all(
            self.levels[dimension] >= min(amount, self._share(dimension) * BURST_SECONDS)
            for dimension, amount in ticket.cost.items()
            if dimension in self.terms.limits
        )

    def _share(self, dimension: Dimension) -> float:
        return self.rates.get(dimension, 0.0) * SHARE / max(1, self.processes)
