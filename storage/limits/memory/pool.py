"""What a pool knows between turns."""

from dataclasses import dataclass, field, replace

from storage.limits.memory.buckets import Bucket
from storage.limits.memory.queue import Queue
from storage.limits.values import Amounts, Dimension, ProcessId, Reason, Terms, TicketId


@dataclass(slots=True)
class Lease:
    cost: Amounts
    granted: Amounts
    at: float
    process: ProcessId
    ends: float


@dataclass(slots=True)
class Breaker:
    """Closed, or open since ``down_since`` and looked after by one canary at a time."""

    down_since: float | None = None
    canary: TicketId | None = None
    failures: int = 0
    failing_since: float = 0.0


@dataclass(slots=True)
class Pool:
    terms: Terms | None = None
    at: float = 0.0
    buckets: dict[Dimension, Bucket] = field(default_factory=dict[Dimension, Bucket])
    queue: Queue = field(default_factory=Queue)
    leases: dict[TicketId, Lease] = field(default_factory=dict[TicketId, Lease])
    alive: dict[ProcessId, float] = field(default_factory=dict[ProcessId, float])
    breaker: Breaker = field(default_factory=Breaker)
    pause_until: float = 0.0
    reason: Reason | None = None
    short: Dimension | None = None
    cap: float = 0.0
    usual_seconds: float | None = None
    recent_seconds: float | None = None
    flow_begun: float | None = None

    def configure(self, terms: Terms, now: float) -> None:
        if terms == self.terms:
            return
        if self.terms is None:
            self.at = now
        self.terms = terms
        before, self.buckets = self.buckets, {}
        for dimension, limit in terms.limits.items():
            level = before[dimension].level if dimension in before else 0.0
            granted = before[dimension].granted if dimension in before else 0.0
            begins = replace(limit, amount=terms.amount(dimension))
            self.buckets[dimension] = Bucket(begins, terms.use, level=level, granted=granted)
        self.cap = float(terms.concurrency or 0)

    def refill(self, now: float) -> None:
        passed = max(0.0, now - self.at)
        for bucket in self.buckets.values():
            bucket.refill(now, passed)
        self.at = now
