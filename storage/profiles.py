"""What a customer wants to know of every artifact of a connection: own fields, own instructions.

What a profile asks for stands under ``extracted`` in a reading. Another profile is another reading:
artifacts are read again when it changes, and those that were read by it before are not.

A schema comes from a customer, so it is checked before it is used: it must be an object's, of a
bounded size, complete in itself, and without regular expressions, which could hold a worker up.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import (
    Draft202012Validator,
    SchemaError,
)

LARGEST_BYTES = 20_000
DEEPEST = 8
LONGEST_INSTRUCTIONS = 4_000


_FORBIDDEN = frozenset({"pattern", "patternProperties", "$ref", "$dynamicRef", "$id"})


class ProfileInvalid(ValueError):
    """Says what is wrong with the profile, for whoever wrote it."""


class SchemaUnusable(ValueError):
    """The schema cannot be asked for. Says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """``schema`` is of an object; None: nothing but what is always read."""

    instructions: str = ""
    schema: Mapping[str, Any] | None = field(default=None)

    @property
    def digest(self) -> str:
        """Equal for profiles that ask for the same."""
        stated = json.dumps([self.instructions, self.schema], sort_keys=True)
        return hashlib.sha256(stated.encode()).hexdigest()[:16]


STANDARD = Profile()


def parse(value: Any) -> Profile:
    """The profile as it stands in a connection. Raises ``ProfileInvalid``."""
    if value is None:
        return STANDARD
    if not isinstance(value, Mapping):
        raise ProfileInvalid('The profile must be an object with "instructions" and "schema".')
    unknown = sorted(value.keys() - {"instructions", "schema"})
    if unknown:
        raise ProfileInvalid(f'The profile has "{unknown[0]}", which is not known here.')
    instructions = value.get("instructions") or ""
    if not isinstance(instructions, str) or len(instructions) > LONGEST_INSTRUCTIONS:
        raise ProfileInvalid(
            f"The profile's instructions must be a text of {LONGEST_INSTRUCTIONS:,} characters "
            "at most."
        )
    schema = value.get("schema")
    try:
        return Profile(instructions.strip(), None if schema is None else check(schema))
    except SchemaUnusable as error:
        raise ProfileInvalid(f"The profile's schema cannot be used: {error}.") from None


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


def _keys(schema: Any, depth: int = 0) -> Iterator[tuple[int, str]]:
    children: Any = ()
    if isinstance(schema, dict):
        yield from ((depth, key) for key in schema)
        children = schema.values()
    elif isinstance(schema, list):
        children = schema
    for child in children:
        yield from _keys(child, depth + 1)
