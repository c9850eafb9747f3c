"""One dimension of a pool: its bucket, and what the provider's own count says (``state.lua``)."""

import math
from dataclasses import dataclass

from storage.limits.values import Limit

ANCHOR_SECONDS, MARGIN_SECONDS, SAME_COUNTS = 20.0, 0.3, 20
FLOW_SECONDS = 10.0
RAMP_FACTOR, RAMP_SECONDS = 1.5, 900.0


@dataclass(slots=True)
class Anchor:
    """What the provider said remained after the grant that made ``granted`` the sum."""

    granted: float
    remaining: float
    at: float
    same: int = 0


@dataclass(slots=True)
class Bucket:
    """Begins empty, never full: what was granted before it was made is not known."""

    limit: Limit
    use: float
    rate: float = 0.0
    burst: float = 0.0
    top: float = 0.0
    level: float = 0.0
    granted: float = 0.0
    known: bool = False
    cut_at: float = 0.0
    distrusted_until: float = 0.0
    anchor: Anchor | None = None
    ramp: float | None = None
    ramped_at: float = 0.0
    flowing: float = 0.0
    flowed_at: float = 0.0

    def __post_init__(self) -> None:
        self.set_limit(self.limit.amount)

    def set_limit(self, amount: float) -> None:
        self.top = self.rate = self.use * amount / self.limit.window.total_seconds()
        self.burst = (1 - self.use) * amount

    def pace(self, now: float) -> float:
        """The rate in force: what the limit allows, or the ramp while it is below."""
        if self.ramp is None:
            return self.rate
        risen: float = self.ramp * RAMP_FACTOR ** ((now - self.ramped_at) / RAMP_SECONDS)
        if risen < self.rate:
            return risen
        self.ramp = None
        return self.rate

    def refill(self, now: float, passed: float) -> None:
        self.level = min(self.burst, self.level + self.pace(now) * passed)

    def take(self, amount: float) -> float:
        self.level -= amount
        self.granted += amount
        return self.granted

    def give_back(self, amount: float) -> None:
        self.level = min(self.burst, self.level + amount)
        self.granted -= amount

    def ceiling(self, now: float) -> float | None:
        anchor = self.anchor
        if anchor is None or self.distrusted_until > now or anchor.same >= SAME_COUNTS:
            return None
        age = now - anchor.at
        if age > ANCHOR_SECONDS:
            return None
        since = self.granted - anchor.granted
        return anchor.remaining - since + self.pace(now) * (age - MARGIN_SECONDS)

    def shortage(self, amount: float, now: float, *, reserve: float) -> float:
        """Seconds until ``amount`` fits; more than the burst goes when the bucket is full."""
        pace = max(self.pace(now), 1e-9)
        need = min(amount, self.burst * (1 - reserve)) + self.burst * reserve
        seconds = (need - self.level) / pace
        top = self.ceiling(now)
        return seconds if top is None else max(seconds, (amount - top) / pace)

    def is_learned(self, now: float) -> bool:
        return (self.limit.learned and not self.known) or self.distrusted_until > now

    def count(self, amount: float, now: float) -> None:
        self.flowing = self._faded(now) + amount / FLOW_SECONDS
        self.flowed_at = now

    def flow(self, now: float, *, begun: float) -> float:
        """What goes through a second; right from its first moment."""
        return self._faded(now) / (1 - math.exp(-max(0.5, now - begun) / FLOW_SECONDS))

    def _faded(self, now: float) -> float:
        return self.flowing * math.exp(-max(0.0, now - self.flowed_at) / FLOW_SECONDS)
