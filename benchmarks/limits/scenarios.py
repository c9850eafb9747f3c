"""What happens to the provider, to Redis and to the workers, and what is asked of us in it."""

from dataclasses import dataclass, field

from pipelines.llm.mock.plan import Charging, Outage, Plan, Telling
from storage.limits.values import Dimension

TOKENS_A_SECOND = 12_000
REQUESTS_A_SECOND = 60
WINDOW = 60
WARM_UP = 6
"""Seconds that are not counted: buckets that begin full, and ours, which begins empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """In shares, seconds and calls. None: not asked for in this scenario."""

    utilisation: float
    refused: float | None = 0.001
    jain: float | None = 0.98
    interactive_p95: float | None = 0.25
    recovery: float | None = None
    wasted: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``available`` is the share of the limit that there is to be used, in the counted seconds."""

    name: str
    seconds: int
    targets: Targets
    plan: Plan
    warm_up: int = WARM_UP
    rivals: tuple[str, ...] = ()
    guess: float | None = None  # of the limit, where it is unknown
    kill_workers_at: float | None = None
    redis_gone: tuple[float, float] | None = None  # from, until

    @property
    def available(self) -> float:
        counted = self.seconds - self.warm_up
        out = sum(outage.seconds for outage in self.plan.outages)
        return (1 - self.plan.foreign_share) * (counted - out) / counted


LIMITS = {
    Dimension.REQUESTS: float(REQUESTS_A_SECOND * WINDOW),
    Dimension.TOKENS: float(TOKENS_A_SECOND * WINDOW),
}


def _plan(**changes: object) -> Plan:
    usual = {"limits": LIMITS, "window_seconds": WINDOW, "charging": Charging.AZURE}
    return Plan.model_validate({**usual, "first_token_seconds": 0.3, **changes})


OUTAGE = Outage(start=15, seconds=15)

ALL = (
    Scenario(
        name="steady",
        seconds=46,
        targets=Targets(utilisation=0.98),
        plan=_plan(),
        rivals=("sdk2", "sdk10", "tenacity", "gcra"),
    ),
    Scenario(
        name="foreign",
        seconds=64,
        warm_up=24,  # until the provider's bucket, which begins full, has been drained by both
        targets=Targets(utilisation=0.97, interactive_p95=None),
        plan=_plan(foreign_share=0.3),
        rivals=("gcra",),
    ),
    Scenario(
        name="outage",
        seconds=50,
        targets=Targets(
            utilisation=0.85, refused=None, interactive_p95=None, recovery=5.0, wasted=50
        ),
        plan=_plan(outages=[OUTAGE.model_dump()]),
        rivals=("sdk10", "gcra"),
    ),
    Scenario(
        name="redis",
        seconds=66,
        targets=Targets(utilisation=0.95, jain=None, interactive_p95=None),
        plan=_plan(),
        redis_gone=(20, 30),
    ),
    Scenario(
        name="kill",
        seconds=46,
        targets=Targets(utilisation=0.97, jain=None, interactive_p95=None),
        plan=_plan(),
        kill_workers_at=15,
    ),
    Scenario(
        name="unknown",
        seconds=66,
        targets=Targets(utilisation=0.95, refused=0.02, interactive_p95=None),
        plan=_plan(telling=Telling.ABSENT),
        guess=2.0,
    ),
)


@dataclass(frozen=True, slots=True)
class Demand:
    """Calls at once in each process by tenant, and interactive ones a second."""

    tenants: dict[str, int] = field(default_factory=lambda: {"large": 24, "middle": 12, "small": 4})
    interactive_a_second: float = 0.4
