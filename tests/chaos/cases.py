"""The table of faults: what is done to a run, and how it must end all the same.

Unless a case says otherwise, the run must end as if nothing had been: ``succeeded``, and the index
is the source.
"""

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
    return [case.in_tier(fast=case.name in FAST) for case in TABLE]
