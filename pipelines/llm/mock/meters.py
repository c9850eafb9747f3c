"""How much of a limit is left: a bucket, a fixed or a sliding window. Time is handed in."""

from collections import deque
from typing import Protocol

from pipelines.llm.mock.plan import Metering, Plan


class Meter(Protocol):
    def left(self, now: float) -> float: ...

    def take(self, amount: float, now: float) -> None: ...

    def wait(self, amount: float, now: float) -> float:
        """Seconds until ``amount`` is left."""
        ...


class Bucket:
    """Full at first. Somebody else's share of the rate never arrives."""

    def __init__(self, limit: float, plan: Plan, now: float) -> None:
        self.rate = limit / plan.window_seconds
        self.depth = self.level = self.rate * plan.depth_seconds
        self.foreign = plan.foreign_share
        self.at = now

    def left(self, now: float) -> float:
        came = self.rate * (1 - self.foreign) * max(0.0, now - self.at)
        self.at = now
        self.level = min(self.depth, self.level + came)
        return self.level

    def take(self, amount: float, now: float) -> None:
        self.level = self.left(now) - amount

    def wait(self, amount: float, now: float) -> float:
        pace = max(self.rate * (1 - self.foreign), 1e-9)
        return max(0.0, amount - self.left(now)) / pace


class FixedWindow:
    def __init__(self, limit: float, plan: Plan, now: float) -> None:
        self.limit = limit * (1 - plan.foreign_share)
        self.window = plan.window_seconds
        self.begun = now
        self.used = 0.0

    def left(self, now: float) -> float:
        if now - self.begun >= self.window:
            self.begun += self.window * ((now - self.begun) // self.window)
            self.used = 0.0
        return self.limit - self.used

    def take(self, amount: float, now: float) -> None:
        self.left(now)
        self.used += amount

    def wait(self, amount: float, now: float) -> float:
        return 0.0 if self.left(now) >= amount else self.begun + self.window - now


class SlidingWindow:
    def __init__(self, limit: float, plan: Plan) -> None:
        self.limit = limit * (1 - plan.foreign_share)
        self.window = plan.window_seconds
        self.taken = deque[tuple[float, float]]()
        self.used = 0.0

    def left(self, now: float) -> float:
        while self.taken and self.taken[0][0] <= now - self.window:
            self.used -= self.taken.popleft()[1]
        return self.limit - self.used

    def take(self, amount: float, now: float) -> None:
        self.left(now)
        self.taken.append((now, amount))
        self.used += amount

    def wait(self, amount: float, now: float) -> float:
        left = self.left(now)
        for at, taken in self.taken:
            if left >= amount:
                break
            left += taken
            if left >= amount:
                return at + self.window - now
        return 0.0 if left >= amount else self.window


def meter(limit: float, plan: Plan, now: float) -> Meter:
    match plan.metering:
        case Metering.BUCKET:
            return Bucket(limit, plan, now)
        case Metering.FIXED:
            return FixedWindow(limit, plan, now)
        case Metering.SLIDING:
            return SlidingWindow(limit, plan)
