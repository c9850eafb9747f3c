"""The table of faults: what is done to a run, and how it must end all the same.

Unless a case says otherwise, the run must end as if nothing had been: ``succeeded``, and the index
is the source.
"""

from tests.chaos import disk
from tests.chaos.case import Case
from tests.chaos.table import asking, deaths, servers, sources, up

FAST = frozenset(
    {
        "killed with a page fetched and not committed",
        "killed in the transaction of a batch",
        "killed after the last commit, before anybody was told",
        "frozen with a batch made, and thawed when all is over",
        "told to stop: hands over and exits",
        "Redis is flushed",
        "Redis is wiped: killed, with all it kept",
        "Redis is away from the start",
        "the api is killed, again and again",
        "everything is killed at once, as when the machine loses power",
        "the source waits",
        "PostgreSQL cuts all connections",
        "PostgreSQL refuses connections",
        "killed after a commit, before anybody is told",
        "killed with a page committed and its cursor with it",
        "killed with the run placed and not begun",
        "killed in the transaction of the end",
        "killed in the transaction that deletes",
        "killed with the run handed over",
        "killed while the source waits",
        "Redis is away all the time",
        "Redis evicts the run's state",
        "Redis trims the stream past the readers",
        "Redis is full",
        "Redis cuts connections again and again",
        "the api is killed while Redis is away",
        "the last of it is told while Redis is away, and the worker stops",
        "the disk is full, and then there is room",
        "cancelled",
        "paused, and resumed",
        "some artifacts are refused",
    }
)

TABLE: tuple[Case, ...] = (
    *deaths.KILLINGS,
    *deaths.MENDING,
    *deaths.OFTEN,
    *deaths.FREEZINGS,
    *asking.DRAINED,
    *servers.REDIS,
    *servers.DATABASE,
    *sources.SOURCES,
    *asking.CLIENTS,
    *asking.WISHES,
    *up.SHIPPED,
)


def cases() -> list[Case]:
    """All that can be played here: without root, no disk can be filled."""
    there = [case for case in TABLE if not case.small_disk or disk.can_make()]
    return [case.in_tier(fast=case.name in FAST) for case in there]
