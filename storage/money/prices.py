"""What a token of a model costs, from a data file that says where its numbers are from.

A model that is not listed may be a dated version of one that is (``gpt-5-mini-2025-08-07``). One
that is unknown costs as much as the dearest that is known, and is marked: a budget then errs on the
side of whoever pays.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from storage.errors import SetupError

NANOS = 1_000_000_000
"""In a dollar. A dollar for a million tokens is a thousand nano-dollars for one."""

_VERSION = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4,8}|latest)$")


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars a token. ``known``: somebody said so, it is not assumed."""

    input: int
    cached: int
    output: int
    known: bool = True

    def of(self, *, input_tokens: int, cached_tokens: int, output_tokens: int) -> int:
        """In nano-dollars. ``input_tokens`` include the cached ones."""
        fresh = input_tokens - cached_tokens
        return fresh * self.input + cached_tokens * self.cached + output_tokens * self.output


FREE = Price(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Prices:
    models: Mapping[str, Price]
    source: str
    date: str

    def of(self, model: str) -> Price:
        found = self.models.get(model) or self.models.get(_VERSION.sub("", model))
        return found or self._dearest()

    def _dearest(self) -> Price:
        known = [price for price in self.models.values() if price != FREE]
        if not known:
            return FREE
        return Price(
            max(price.input for price in known),
            max(price.cached for price in known),
            max(price.output for price in known),
            known=False,
        )


def load(own: Path | None = None, *, free: bool = False) -> Prices:
    """The shipped prices, with the operator's ``own`` before them. Raises ``SetupError``.

    ``free``: the models are served by this machine, and nobody asks for money.
    """
    if free:
        return Prices({"": FREE}, "this machine", "")
    text = (files(__package__) / "prices.json").read_text(encoding="utf-8")
    shipped = _parsed(text, "prices.json")
    if own is None:
        return shipped
    try:
        given = _parsed(own.read_text(encoding="utf-8"), str(own))
    except OSError as error:
        raise SetupError(
            f"HEADWATER_PRICES cannot be read: {error.strerror}.", action="Check the path."
        ) from error
    return Prices({**shipped.models, **given.models}, given.source, given.date)


def _parsed(text: str, name: str) -> Prices:
    try:
        told = json.loads(text)
        models = {model: _price(each) for model, each in told["models"].items()}
        return Prices(models, str(told["source"]), str(told["date"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(
            f"The prices in {name} cannot be used: {error}.",
            action='Give "source", "date" and "models", each with "input", "cached" and "output".',
        ) from error


def _price(told: Mapping[str, Any]) -> Price:
    price = Price(
        input=round(float(told["input"]) * 1_000),
        cached=round(float(told["cached"]) * 1_000),
        output=round(float(told["output"]) * 1_000),
    )
    if min(price.input, price.cached, price.output) < 0:
        raise ValueError("a price is negative")
    return price
