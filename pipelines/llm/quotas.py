"""What a reply's headers say about the limits: OpenAI's names, which most copy, and Anthropic's.

https://platform.openai.com/docs/guides/rate-limits, https://docs.anthropic.com/en/api/rate-limits.
What is no number, or below zero (Azure's Responses api says -1), says nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from storage.limits.values import Amounts, Dimension

OPENAI = "x-ratelimit-{what}-{name}"
ANTHROPIC = "anthropic-ratelimit-{name}-{what}"


@dataclass(frozen=True, slots=True)
class Quota:
    remaining: Amounts
    limits: Amounts


def read(headers: Mapping[str, str]) -> Quota:
    """``headers`` with names in lower case."""
    return Quota(_all(headers, "remaining"), _all(headers, "limit"))


def _all(headers: Mapping[str, str], what: str) -> Amounts:
    found: dict[Dimension, float] = {}
    for dimension in Dimension:
        name = dimension.value.replace("_", "-")
        for form in (OPENAI, ANTHROPIC):
            amount = _amount(headers.get(form.format(what=what, name=name)))
            if amount is not None:
                found[dimension] = amount
    return found


def _amount(told: str | None) -> float | None:
    try:
        amount = float(told or "")
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None
