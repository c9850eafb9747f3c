"""A mail taken apart, whoever delivered it: its headers, decoded, and its parts in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

MOST_BYTES = 10_000_000  # of a mail that are looked at; its words stand at its front
MOST_LINES = 200_000
MOST_HEADER_BYTES = 65_536
MOST_PARTS = 500
MOST_NESTED = 40
LONGEST_HEADER = 2_000  # characters


class MailUnreadable(Exception):
    """Nothing can be made of these bytes, not even their headers."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Decoded, each on one line and at most ``LONGEST_HEADER`` long; names are in lower case."""

    fields: Sequence[tuple[str, str]]

    def get(self, name: str) -> str:
        """The first field of this name, or nothing."""
        return next((value for key, value in self.fields if key == name), "")

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``content`` is free of its transfer encoding; None where it was not downloaded."""

    mime: str  # in lower case
    charset: str
    name: str  # of the file, if it is one
    content: bytes | None
    size: int
    attached: bool = False
    place: str = ""  # how the provider calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Each of ``bodies`` has several wordings of the same; ``cut`` if something was left away."""

    headers: Headers
    bodies: Sequence[Sequence[Part]]
    attachments: Sequence[Part]
    sent_at: datetime | None = None
    cut: bool = False
