"""What a customer wants to know of every artifact of a connection: own fields, own instructions.

What a profile asks for stands under ``extracted`` in a reading. Another profile is another reading:
artifacts are read again when it changes, and those that were read by it before are not.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.llm import forms

LONGEST_INSTRUCTIONS = 4_000


class ProfileInvalid(ValueError):
    """Says what is wrong with the profile, for whoever wrote it."""


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
        return Profile(instructions.strip(), None if schema is None else forms.check(schema))
    except forms.SchemaUnusable as error:
        raise ProfileInvalid(f"The profile's schema cannot be used: {error}.") from None
