"""The form of an answer: JSON schemas, what a text must be to fit one, and simpler ones.

A schema may come from a customer, so it is checked before it is used: it must be an object's, of a
bounded size, complete in itself, and without regular expressions, which could hold a worker up.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import (  # type: ignore[import-untyped]  # the wheel ships no types
    Draft202012Validator,
    SchemaError,
)

LARGEST_BYTES = 20_000
DEEPEST = 8
_FORBIDDEN = frozenset({"pattern", "patternProperties", "$ref", "$dynamicRef", "$id"})
_BOUNDS = frozenset({"maxLength", "minLength", "maxItems", "minItems", "minimum", "maximum"})
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


class Misfit(ValueError):
    """The text is no JSON, or does not fit. Says where, and nothing of the text."""


class SchemaUnusable(ValueError):
    """The schema cannot be asked for. Says what is wrong with it."""


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


def check(schema: Any) -> Mapping[str, Any]:
    """The schema, if it can be used. Raises ``SchemaUnusable``."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise SchemaUnusable('it must be a JSON schema whose "type" is "object"')
    if len(json.dumps(schema)) > LARGEST_BYTES:
        raise SchemaUnusable(f"it is larger than {LARGEST_BYTES:,} bytes")
    for depth, key in _keys(schema):
        if depth > DEEPEST * 2:
            raise SchemaUnusable(f"it is nested more than {DEEPEST} levels deep")
        if key in _FORBIDDEN:
            raise SchemaUnusable(f'it uses "{key}", which is not supported here')
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path) or "its top"
        raise SchemaUnusable(f"it is no valid JSON schema at {where}: {error.message}") from None
    return schema


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


def _keys(schema: Any, depth: int = 0) -> Iterator[tuple[int, str]]:
    children: Any = ()
    if isinstance(schema, dict):
        yield from ((depth, key) for key in schema)
        children = schema.values()
    elif isinstance(schema, list):
        children = schema
    for child in children:
        yield from _keys(child, depth + 1)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
