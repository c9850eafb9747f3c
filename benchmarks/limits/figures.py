"""From what the provider and the workers saw to the figures that are compared."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.limits.scenarios import TOKENS_A_SECOND, Demand, Scenario

Account = Mapping[str, Any]
RATE_AGAIN = 0.95
OVER = 2  # seconds that are averaged to say that the rate is full


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    utilisation: float
    refused: float
    lost: int
    jain: float
    interactive_p95: float
    wasted: int
    recovery: float | None
    cpu_ms: float
    calls: int

    def missed(self, scenario: Scenario) -> list[str]:
        """Which of the targets were not met."""
        asked = scenario.targets
        checks = {
            "utilisation": self.utilisation >= asked.utilisation,
            "429s": asked.refused is None or self.refused <= asked.refused,
            "lost": self.lost == 0,
            "fairness": asked.jain is None or self.jain >= asked.jain,
            "interactive": asked.interactive_p95 is None
            or self.interactive_p95 <= asked.interactive_p95,
            "wasted": asked.wasted is None or self.wasted < asked.wasted,
            "recovery": asked.recovery is None
            or (self.recovery is not None and self.recovery <= asked.recovery),
        }
        return [name for name, met in checks.items() if not met]


def figures(scenario: Scenario, account: Account, workers: Sequence[Mapping[str, Any]]) -> Figures:
    """``account`` is the mock's; its seconds begin with the workers' work."""
    tokens = _by_second(account["tokens_by_second"])
    statuses = {int(status): count for status, count in account["statuses"].items()}
    counted = range(scenario.warm_up, scenario.seconds)
    through = sum(tokens.get(second, 0) for second in counted)
    most = TOKENS_A_SECOND * len(counted) * scenario.available
    calls = [call for worker in workers for call in worker["calls"]]
    waits = [c["waited"] for c in calls if c["urgency"] == "interactive" and not c["lost"]]
    shares = [
        sum(_by_second(account["tenants_by_second"].get(tenant, {})).get(s, 0) for s in counted)
        for tenant in Demand().tenants
    ]
    return Figures(
        utilisation=through / most,
        refused=statuses.get(429, 0) / max(1, sum(statuses.values())),
        lost=sum(bool(call["lost"]) for call in calls),
        jain=_jain(shares),
        interactive_p95=_percentile(waits, 95),
        wasted=statuses.get(503, 0),
        recovery=_recovery(scenario, tokens),
        cpu_ms=1000 * sum(w["cpu_seconds"] for w in workers) / max(1, len(calls)),
        calls=len(calls),
    )


def _by_second(told: Mapping[str, float]) -> dict[int, float]:
    return {int(second): amount for second, amount in told.items()}


def _recovery(scenario: Scenario, tokens: Mapping[int, float]) -> float | None:
    """Seconds from the outage's end to the first of those in which the rate was full."""
    if not scenario.plan.outages:
        return None
    end = int(max(outage.start + outage.seconds for outage in scenario.plan.outages))
    for second in range(end, scenario.seconds - OVER):
        mean = statistics.fmean(tokens.get(second + ahead, 0) for ahead in range(OVER))
        if mean >= RATE_AGAIN * TOKENS_A_SECOND:
            return float(second - end)
    return None


def _jain(shares: Sequence[float]) -> float:
    """1 where all are equal, 1/n where one has it all (Jain, Chiu, Hawe 1984)."""
    squares = sum(share**2 for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def _percentile(values: Sequence[float], percent: int) -> float:
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
