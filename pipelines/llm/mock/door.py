"""Who is let in: limits, outages, and what the headers say about both."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from pipelines.llm.mock.account import Account
from pipelines.llm.mock.meters import Meter, meter
from pipelines.llm.mock.plan import Charging, Outage, Plan, Refusing, Telling
from storage.limits.values import Dimension

MESSAGES = {
    Refusing.PACE: "Rate limit reached. Please try again later.",
    Refusing.RAMP: "Slow down: your traffic grew too quickly.",
    Refusing.QUOTA: "You exceeded your current quota, please check your plan and billing details.",
}
WRONG_KEY = {
    "message": "Incorrect API key provided.",
    "type": "invalid_request_error",
    "code": "invalid_api_key",
}
UNKNOWN = {
    "message": "The model `{}` does not exist or you do not have access to it.",
    "type": "invalid_request_error",
    "param": "model",
    "code": "model_not_found",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request as far as the door sees it."""

    tenant: str
    characters: int
    max_tokens: int
    model: str
    key: str = ""
    output: bool = True  # embeddings have none

    @property
    def input_tokens(self) -> int:
        return max(1, math.ceil(self.characters / 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """``error`` is the body's ``error`` where the status is not 200."""

    status: int
    headers: Mapping[str, str]
    error: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_open(self) -> bool:
        return self.status == HTTPStatus.OK


@dataclass(slots=True)
class Absence:
    """An outage as it comes about. ``begun`` is in seconds since the plan was set."""

    outage: Outage
    begun: float | None = None

    def holds(self, passed: float, *, admitted: int) -> bool:
        outage = self.outage
        if self.begun is None and passed >= outage.start and admitted >= outage.after_calls:
            self.begun = passed if outage.after_calls else outage.start
        return self.begun is not None and passed - self.begun < outage.seconds


class Door:
    def __init__(self, plan: Plan, now: float) -> None:
        self.plan = plan
        self.absences = [Absence(outage) for outage in plan.outages]
        self.begun = now
        self.account = Account(now)
        self.meters: dict[Dimension, Meter] = {
            dimension: meter(limit, plan, now) for dimension, limit in plan.limits.items()
        }

    def enter(self, visit: Visit, now: float) -> Admission:
        passed, admitted = now - self.begun, self.account.statuses[HTTPStatus.OK]
        for absence in self.absences:
            if absence.holds(passed, admitted=admitted):
                return self._closed(visit, absence.outage.status, now)
        if self.plan.key not in {None, visit.key}:
            return self._turned_away(visit, HTTPStatus.UNAUTHORIZED, WRONG_KEY, now)
        if visit.model not in self.plan.models:
            error = {**UNKNOWN, "message": UNKNOWN["message"].format(visit.model)}
            return self._turned_away(visit, HTTPStatus.NOT_FOUND, error, now)
        cost = self._cost(visit)
        short = [name for name in self.meters if self.meters[name].left(now) < cost.get(name, 0)]
        if short or self.plan.refuse_all:
            return self._refuse(visit, cost, self.plan.refuse_all or Refusing.PACE, now)
        for name, taking in self.meters.items():
            taking.take(cost.get(name, 0), now)
        self._record(200, visit, _tokens(cost), now)
        return Admission(status=200, headers=self._headers(now))

    def charge_output(self, tokens: int, now: float) -> None:
        """Where output is charged as it turns out to be."""
        if self.plan.charging is not Charging.ANTHROPIC:
            return
        for name in (Dimension.OUTPUT_TOKENS, Dimension.TOKENS):
            if name in self.meters:
                self.meters[name].take(tokens, now)
        self.account.tokens[int(now - self.begun)] += tokens

    def _cost(self, visit: Visit) -> dict[Dimension, float]:
        given, cap = visit.input_tokens, visit.max_tokens if visit.output else 0
        tokens = {
            Charging.OPENAI: max(given, cap),
            Charging.AZURE: given + cap,
            Charging.ANTHROPIC: given,
            Charging.INPUT: given,
        }[self.plan.charging]
        return {
            Dimension.REQUESTS: 1,
            Dimension.TOKENS: tokens,
            Dimension.INPUT_TOKENS: given,
            Dimension.OUTPUT_TOKENS: 0,
        }

    def _closed(self, visit: Visit, status: int, now: float) -> Admission:
        self._record(status, visit, 0, now)
        error = {
            "message": "The server is overloaded or not ready yet.",
            "type": "service_unavailable_error",
            "code": "server_is_overloaded",
        }
        return Admission(status=status, headers={}, error=error)

    def _turned_away(
        self, visit: Visit, status: HTTPStatus, error: Mapping[str, str], now: float
    ) -> Admission:
        self._record(status, visit, 0, now)
        return Admission(status=status, headers={}, error=error)

    def _refuse(
        self, visit: Visit, cost: Mapping[Dimension, float], why: Refusing, now: float
    ) -> Admission:
        if self.plan.refused_count and Dimension.REQUESTS in self.meters:
            self.meters[Dimension.REQUESTS].take(1, now)
        wait = max((m.wait(cost.get(name, 0), now) for name, m in self.meters.items()), default=1.0)
        headers = self._headers(now)
        if self.plan.retry_after and why is not Refusing.QUOTA:
            headers["retry-after"] = str(max(1, math.ceil(wait)))
            headers["retry-after-ms"] = str(math.ceil(wait * 1000))
        self._record(429, visit, 0, now)
        kind = "insufficient_quota" if why is Refusing.QUOTA else "tokens"
        error = {"message": MESSAGES[why], "type": kind, "code": why.value}
        return Admission(status=429, headers=headers, error=error)

    def _headers(self, now: float) -> dict[str, str]:
        if self.plan.telling is Telling.ABSENT:
            return {}
        told: dict[str, str] = {}
        for name, limit in self.plan.limits.items():
            left = max(0.0, self.meters[name].left(now))
            limit_said, left_said = _said(self.plan.telling, limit, left)
            reset = (limit - left) / limit * self.plan.window_seconds
            if self.plan.charging is Charging.ANTHROPIC:
                prefix = f"anthropic-ratelimit-{name.value.replace('_', '-')}"
                told[f"{prefix}-limit"], told[f"{prefix}-remaining"] = limit_said, left_said
            else:
                told[f"x-ratelimit-limit-{name.value}"] = limit_said
                told[f"x-ratelimit-remaining-{name.value}"] = left_said
                told[f"x-ratelimit-reset-{name.value}"] = f"{reset:.3f}s"
        return told

    def _record(self, status: int, visit: Visit, tokens: float, now: float) -> None:
        self.account.record(status, tokens=tokens, tenant=visit.tenant, now=now)


def _tokens(cost: Mapping[Dimension, float]) -> float:
    return cost[Dimension.TOKENS]


def _said(telling: Telling, limit: float, left: float) -> tuple[str, str]:
    match telling:
        case Telling.DOUBLED:
            return str(int(limit * 2)), str(int(left * 2))
        case Telling.NEGATIVE:
            return "-1", "-1"
        case Telling.STUCK:
            return str(int(limit)), "0"
        case Telling.HONEST | Telling.ABSENT:
            return str(int(limit)), str(int(left))
