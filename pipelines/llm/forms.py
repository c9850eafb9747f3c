"""The form of an answer: what a text must be to fit a JSON schema, and simpler schemas."""

import json
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import (
    Draft202012Validator,
)

_BOUNDS = frozenset({"maxLength", "minLength", "maxItems", "minItems", "minimum", "maximum"})
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


class Misfit(ValueError):
    """The text is no JSON, or does not fit. Says where, and nothing of the text."""


def fit(text: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object in ``text``. Raises ``Misfit``. A fence around all of it is not held against it.

    Nothing is repaired: what ends in the middle may say the opposite of what was meant.
    """
    fenced = _FENCE.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Misfit("the answer is no JSON") from None
    if not isinstance(value, dict):
        raise Misfit("the answer is no JSON object")
    for error in Draft202012Validator(schema).iter_errors(value):
        where = ".".join(str(part) for part in error.absolute_path) or "the answer"
        raise Misfit(f"{where[:100]} is not as its schema says ({error.validator})")
    return value


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def is_tight(schema: Any) -> bool:
    """Whether strict modes take it: every object has all its properties, and no others."""
    if isinstance(schema, list):
        return all(map(is_tight, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        names = set(schema.get("properties", {}))
        if (
            schema.get("additionalProperties") is not False
            or set(schema.get("required", ())) != names
        ):
            return False
    return all(map(is_tight, schema.values()))


def without_bounds(schema: Any) -> Any:
    """The same with no limits of length and number, which some strict modes do not know."""
    if isinstance(schema, dict):
        return {key: without_bounds(each) for key, each in schema.items() if key not in _BOUNDS}
    if isinstance(schema, list):
        return [without_bounds(each) for each in schema]
    return schema


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
