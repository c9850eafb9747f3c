"""What the provider has seen, second by second: the other side of every measurement."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """Seconds count from when the plan was set; tokens are those that were charged.

    ``answers`` are replies that were paid, good and bad. ``items_again`` is what somebody had
    answered well before, and paid for again; so are ``texts_again`` of what was embedded.
    """

    begun: float
    statuses: Counter[int] = field(default_factory=Counter[int])
    answers: int = 0
    items: Counter[str] = field(default_factory=Counter[str])
    """How often each item of a question was answered well, by its text."""

    texts: Counter[str] = field(default_factory=Counter[str])
    """How often each was embedded."""

    tokens: dict[int, float] = field(default_factory=lambda: defaultdict[int, float](float))
    tenants: dict[str, dict[int, float]] = field(
        default_factory=lambda: defaultdict[str, dict[int, float]](
            lambda: defaultdict[int, float](float)
        )
    )
    by_second: dict[int, Counter[int]] = field(
        default_factory=lambda: defaultdict[int, Counter[int]](Counter)
    )

    def record(self, status: int, *, tokens: float, tenant: str, now: float) -> None:
        second = int(now - self.begun)
        self.statuses[status] += 1
        self.by_second[second][status] += 1
        if tokens:
            self.tokens[second] += tokens
            self.tenants[tenant][second] += tokens

    def report(self, now: float) -> dict[str, object]:
        return {
            "seconds": now - self.begun,
            "statuses": dict(self.statuses),
            "answers": self.answers,
            "items": len(self.items),
            "items_again": self.items.total() - len(self.items),
            "texts": len(self.texts),
            "texts_again": self.texts.total() - len(self.texts),
            "tokens_by_second": dict(self.tokens),
            "tokens_by_tenant": {
                tenant: sum(seconds.values()) for tenant, seconds in self.tenants.items()
            },
            "tenants_by_second": {
                tenant: dict(seconds) for tenant, seconds in self.tenants.items()
            },
            "statuses_by_second": {
                second: dict(statuses) for second, statuses in self.by_second.items()
            },
        }
