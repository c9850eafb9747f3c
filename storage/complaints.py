"""What is not well with a part that works, and what to do about it, each in a sentence.

Pure. Whoever asks the parts (``headwater doctor``, ``/readyz``) hands over what they said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.streams.traits import Traits

LOW_BYTES = 5_000_000_000
TOO_LOW_BYTES = 500_000_000
SKEW = timedelta(seconds=5)
"""Leases are told by the database's clock, moments in the event stream by the writing machine's."""

NEARLY = 0.9


@dataclass(frozen=True, slots=True)
class Complaint:
    """``part`` is its name; ``detail`` says what is wrong and ``action`` what to do about it."""

    part: str
    detail: str
    action: str


def of_redis(traits: Traits, *, here: datetime) -> Iterator[Complaint]:
    """``here``: the time on this machine when it answered."""
    if traits.evicts_streams:
        yield Complaint(
            "redis",
            f"Redis may throw live views away: its maxmemory-policy is {traits.eviction}.",
            "Set its maxmemory-policy to noeviction.",
        )
    if not traits.append_only:
        yield Complaint(
            "redis",
            "Redis keeps nothing over a restart: live views begin anew, with a gap.",
            "Set appendonly to yes.",
        )
    if traits.most_bytes and traits.used_bytes > NEARLY * traits.most_bytes:
        yield Complaint(
            "redis",
            f"Redis has used {traits.used_bytes / traits.most_bytes:.0%} of its maxmemory.",
            "Raise its maxmemory: when it is full, events are told from SQL.",
        )
    yield from of_clock("redis", "Redis", there=traits.now, here=here)


def of_clock(part: str, name: str, *, there: datetime, here: datetime) -> Iterator[Complaint]:
    ahead = there - here
    if abs(ahead) > SKEW:
        side = "ahead of" if ahead > timedelta(0) else "behind"
        yield Complaint(
            part,
            f"The clock of {name} is {abs(ahead).total_seconds():.0f} s {side} this machine's.",
            "Have both machines set their clocks by NTP: waits and times would be off.",
        )


def of_role(*, fenced: bool) -> Iterator[Complaint]:
    if not fenced:
        yield Complaint(
            "database",
            "PostgreSQL does not hold this user to row-level security: it is a superuser, or may "
            "bypass it.",
            "Serve as a user that is neither; docs/operations.md says how to make one.",
        )


def of_disk(free_bytes: int, place: object) -> Iterator[Complaint]:
    if free_bytes < TOO_LOW_BYTES:
        yield Complaint(
            "disk",
            f"The disk is nearly full: {free_bytes / 1e9:,.1f} GB free at {place}.",
            "Free some space, or set HEADWATER_DATA_DIR. When it is full, runs wait for room.",
        )
