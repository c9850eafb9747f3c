"""Each thing that may be wrong with a part that works is a sentence, with what to do about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage import complaints
from storage.complaints import TOO_LOW_BYTES, Complaint
from storage.streams.traits import Traits

HERE = datetime(2026, 1, 1, tzinfo=UTC)
WELL = Traits(
    version="9.1",
    append_only=True,
    eviction="noeviction",
    used_bytes=10,
    most_bytes=0,
    now=HERE,
)


def test_a_redis_as_it_should_be_gets_none() -> None:
    assert list(complaints.of_redis(WELL, here=HERE)) == []


@pytest.mark.parametrize(
    ("traits", "detail", "action"),
    [
        (
            replace(WELL, eviction="allkeys-lru"),
            "Redis may throw live views away: its maxmemory-policy is allkeys-lru.",
            "Set its maxmemory-policy to noeviction.",
        ),
        (
            replace(WELL, append_only=False),
            "Redis keeps nothing over a restart: live views begin anew, with a gap.",
            "Set appendonly to yes.",
        ),
        (
            replace(WELL, used_bytes=95, most_bytes=100),
            "Redis has used 95% of its maxmemory.",
            "Raise its maxmemory: when it is full, events are told from SQL.",
        ),
        (
            replace(WELL, now=HERE + timedelta(seconds=42)),
            "The clock of Redis is 42 s ahead of this machine's.",
            "Have both machines set their clocks by NTP: waits and times would be off.",
        ),
    ],
)
def test_what_is_wrong_with_a_redis(traits: Traits, detail: str, action: str) -> None:
    assert list(complaints.of_redis(traits, here=HERE)) == [Complaint("redis", detail, action)]


def test_a_clock_that_is_behind() -> None:
    [found] = complaints.of_clock(
        "database", "the database", there=HERE - timedelta(hours=1), here=HERE
    )

    assert found.detail == "The clock of the database is 3600 s behind this machine's."


def test_a_disk_is_complained_about_when_it_is_nearly_full() -> None:
    assert list(complaints.of_disk(TOO_LOW_BYTES, "/data")) == []

    [found] = complaints.of_disk(100_000_000, "/data")

    assert found.detail == "The disk is nearly full: 0.1 GB free at /data."
    assert "runs wait for room" in found.action
