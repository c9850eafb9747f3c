"""What a run has done so far, exact at every commit. The receipt is made of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """``found`` is what the source showed; at the end the parts add up to it exactly.

    ``skipped`` and ``failed`` count by reason. ``chunks``, ``embedded`` and ``tokens`` were made in
    this run; ``bytes`` were fetched in it; ``model_calls`` were paid in it. ``deleted`` had been
    ingested earlier and is gone. ``unread`` counts, by reason, those of ``processed`` that a model
    should have read and could not. Tokens of models are the provider's; ``cost_nanos`` are
    billionths of a US dollar.
    """

    found: int = 0
    processed: int = 0
    unchanged: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    failed: Mapping[str, int] = field(default_factory=dict[str, int])
    deleted: int = 0
    bytes: int = 0
    chunks: int = 0
    tokens: int = 0
    embedded: int = 0
    model_calls: int = 0
    unread: Mapping[str, int] = field(default_factory=dict[str, int])
    unproved: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            **{
                each.name: _sum(getattr(self, each.name), getattr(other, each.name))
                for each in fields(self)
            }
        )

    @property
    def settled(self) -> int:
        """How many of ``found`` have an outcome."""
        parts = (self.processed, self.unchanged, *self.skipped.values(), *self.failed.values())
        return sum(parts)

    @property
    def adds_up(self) -> bool:
        return self.found == self.settled

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(**value)


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, int):
        return one + other
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
