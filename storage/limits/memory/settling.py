"""What is learned from how calls went (``settle.lua``, where the reasons are told)."""

import math
from dataclasses import dataclass

from storage.limits.memory.buckets import Anchor, Bucket
from storage.limits.memory.pool import Lease, Pool
from storage.limits.values import Dimension, Ending, Outcome, Reason, Terms, TicketId

HOLD_SECONDS, CUT_SECONDS = 30.0, 2.0
BLOCKED_SECONDS, DISTRUST_SECONDS, IN_A_ROW = 600.0, 600.0, 3


@dataclass(slots=True)
class Settling:
    """One outcome, taken into a pool. Whoever makes it has checked that the lease is held."""

    pool: Pool
    terms: Terms
    now: float

    def settle(self, ticket: TicketId, outcome: Outcome) -> None:
        in_flight = len(self.pool.leases)
        lease = self.pool.leases.pop(ticket, None)
        if lease is None:
            return
        self._correct(lease, outcome)
        if outcome.ending is Ending.UNUSED:
            self._forget_canary(ticket)
            return
        self._adopt(outcome)
        self._anchor(lease, outcome)
        retry_after = _seconds(outcome)
        if outcome.ending is Ending.DOWN:
            self._failed(ticket, lease, retry_after)
        elif outcome.ending is Ending.BLOCKED:
            self._stop(Reason.BLOCKED, retry_after or BLOCKED_SECONDS)
        else:
            self._works(lease)
            self._answered(lease, outcome, in_flight)

    def _answered(self, lease: Lease, outcome: Outcome, in_flight: int) -> None:
        if outcome.ending is not Ending.ANSWERED:
            self._refused(lease, outcome)
            return
        self._count_flow(lease)
        self._probe()
        if self.terms.adaptive and outcome.seconds is not None:
            self._adapt(outcome.seconds, in_flight)

    def _correct(self, lease: Lease, outcome: Outcome) -> None:
        if outcome.charged is None:
            return
        for dimension, reserved in lease.cost.items():
            if bucket := self.pool.buckets.get(dimension):
                bucket.give_back(reserved - outcome.charged.get(dimension, 0))

    def _forget_canary(self, ticket: TicketId) -> None:
        if self.pool.breaker.canary == ticket:
            self.pool.breaker.canary = None

    def _adopt(self, outcome: Outcome) -> None:
        for dimension, amount in outcome.limits.items():
            bucket = self.pool.buckets.get(dimension)
            if bucket is None or amount <= 0 or bucket.distrusted_until > self.now:
                continue
            wanted = self.terms.use * amount / bucket.limit.window.total_seconds()
            if abs(wanted - bucket.top) > 0.005 * wanted:
                bucket.set_limit(amount)
                bucket.known = True

    def _anchor(self, lease: Lease, outcome: Outcome) -> None:
        for dimension, remaining in outcome.remaining.items():
            bucket, seq = self.pool.buckets.get(dimension), lease.granted.get(dimension)
            limit = outcome.limits.get(dimension)
            sane = remaining >= 0 and (limit is None or 0 < limit >= remaining)
            if bucket is None or seq is None or not sane:
                continue
            last = bucket.anchor
            if last and seq <= last.granted:
                continue
            same = last and last.remaining == remaining and outcome.ending is Ending.ANSWERED
            count = last.same + 1 if last and same else 0
            bucket.anchor = Anchor(seq, remaining, lease.at, count)

    def _count_flow(self, lease: Lease) -> None:
        if self.pool.flow_begun is None:
            self.pool.flow_begun = self.now
        for dimension, amount in lease.cost.items():
            if bucket := self.pool.buckets.get(dimension):
                bucket.count(amount, self.now)

    def _flow(self, bucket: Bucket) -> float:
        begun = self.now if self.pool.flow_begun is None else self.pool.flow_begun
        return bucket.flow(self.now, begun=begun)

    def _cut(self, bucket: Bucket) -> None:
        told = bucket.ceiling(self.now) is not None and not bucket.is_learned(self.now)
        through = self._flow(bucket)
        if told or through <= 0 or self.now - bucket.cut_at < CUT_SECONDS:
            return
        bucket.rate = 0.97 * min(bucket.rate, through)
        bucket.cut_at = self.now

    def _probe(self) -> None:
        bucket = self.pool.buckets.get(self.pool.short) if self.pool.short else None
        if bucket is None:
            return
        top = math.inf if bucket.is_learned(self.now) else bucket.top
        if bucket.rate < top:
            bucket.rate = min(top, bucket.rate * self._growth(bucket))

    def _growth(self, bucket: Bucket) -> float:
        if not bucket.cut_at:
            return 1.002
        return 1.0002 if self.now - bucket.cut_at > HOLD_SECONDS else 1.0

    def _refused(self, lease: Lease, outcome: Outcome) -> None:
        self._suspect(lease, outcome)
        until = self.now + _seconds(outcome)
        if until > self.pool.pause_until:
            self.pool.pause_until, self.pool.reason = until, Reason.RATE_LIMITED
        for dimension, bucket in self.pool.buckets.items():
            if outcome.ending is Ending.RAMPING and dimension is not Dimension.REQUESTS:
                slower = 0.7 * min(bucket.pace(self.now), self._flow(bucket))
                bucket.ramp, bucket.ramped_at = max(self.terms.ramp_free, slower), self.now
            else:
                self._cut(bucket)
            bucket.level = min(bucket.level, 0.0)

    def _suspect(self, lease: Lease, outcome: Outcome) -> None:
        counts = outcome.remaining
        if not counts or any(left < lease.cost.get(name, 0) for name, left in counts.items()):
            return
        for name in counts:
            if bucket := self.pool.buckets.get(name):
                bucket.distrusted_until = self.now + DISTRUST_SECONDS

    def _stop(self, reason: Reason, seconds: float) -> None:
        pool, breaker = self.pool, self.pool.breaker
        if breaker.down_since is None:
            breaker.down_since = self.now
        pool.pause_until = max(pool.pause_until, self.now + seconds)
        pool.reason, breaker.canary = reason, None

    def _failed(self, ticket: TicketId, lease: Lease, retry_after: float) -> None:
        breaker = self.pool.breaker
        if breaker.down_since is not None:
            if ticket == breaker.canary:
                seconds = min(30.0, max(1.0, (self.now - breaker.down_since) / 4))
                self._stop(Reason.PROVIDER_DOWN, max(seconds, retry_after))
            return
        if not breaker.failures:
            breaker.failing_since = lease.at
        breaker.failures += 1
        if breaker.failures >= IN_A_ROW:
            self._stop(Reason.PROVIDER_DOWN, max(1.0, retry_after))

    def _works(self, lease: Lease) -> None:
        breaker = self.pool.breaker
        if breaker.down_since is not None and lease.at >= breaker.down_since:
            breaker.down_since = breaker.canary = self.pool.reason = None
            breaker.failures = 0
        elif breaker.down_since is None and lease.at >= breaker.failing_since:
            breaker.failures = 0

    def _adapt(self, seconds: float, in_flight: int) -> None:
        pool = self.pool
        if in_flight < pool.cap / 2:
            return
        usual = seconds if pool.usual_seconds is None else pool.usual_seconds
        recent = seconds if pool.recent_seconds is None else pool.recent_seconds
        faster = seconds < usual
        pool.usual_seconds = usual * 0.9 + seconds * 0.1 if faster else usual * 1.0001
        pool.recent_seconds = recent * 0.8 + seconds * 0.2
        gradient = 2 * pool.usual_seconds / max(pool.recent_seconds, 1e-6)
        wanted = pool.cap * max(0.5, min(1.0, gradient)) + math.sqrt(pool.cap)
        pool.cap = max(1.0, min(1000.0, pool.cap + (wanted - pool.cap) / 2 / pool.cap))


def _seconds(outcome: Outcome) -> float:
    return outcome.retry_after.total_seconds() if outcome.retry_after else 0.0
