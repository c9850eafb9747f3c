"""Random cases: a seed makes a case, always the same one.

Whatever can be done to a run is done in some order at some moments of it; at the end everything is
healed, and the run must end as if nothing had been.
"""

import random

from tests.chaos.case import Case, Step
from tests.chaos.rig import Script

SIZE = 48
DOING = (
    *("kill a", "kill b") * 4,
    *("stop a", "stop b", "continue a", "continue b") * 2,
    *("term a", "term b"),
    *("kill api", "ask"),
    *("kill redis", "start redis") * 2,
    *("flush redis", "wipe redis", "evict state", "evict events", "trim redis"),
    *("redis reset", "redis refuse", "redis slow 0.1", "redis heal", "redis heal"),
    *("stop redis", "continue redis"),
)
LOCKS = ("lock database", "unlock database", "unlock database")
NETWORK = ("database reset", "database reset", "database refuse", "database heal", "database heal")
POINTS = (
    *("dispatch.claiming", "dispatch.claimed", "dispatch.placed", "attempt.adopted"),
    *("attempt.begun", "page.fetched", "page.writing", "page.committed", "crawl.finished"),
    *("batch.begun", "batch.made", "batch.writing", "batch.written", "batch.committed"),
    *("journal.writing", "journal.committed", "relay.read", "relay.appended"),
    *("tidy.listed", "tidy.writing", "tidy.committed", "end.writing", "end.committed"),
)
HEALED = ("continue a", "continue b", "continue redis", "start redis", "mind")


def random_case(seed: int) -> Case:
    rng = random.Random(seed)  # noqa: S311  # to be the same each time
    postgresql = seed % 10 == 9  # it is slower to make
    what = (*DOING, *(NETWORK if postgresql else LOCKS))
    steps = [_step(rng, rng.choice(what)) for _ in range(rng.randint(2, 8))]
    return Case(
        name=f"seed {seed}",
        size=SIZE,
        git=rng.random() < 0.15,
        second=rng.random() < 0.3,
        again=rng.random() < 0.2,
        database="postgresql" if postgresql else "sqlite",
        workers=rng.choice((("a",), ("a", "b"))),
        crash=f"{rng.choice(POINTS)}:{rng.randint(1, 4)}" if rng.random() < 0.5 else "",
        script=_script(rng),
        steps=(*steps, *(Step(each) for each in HEALED)),
        must_crash=False,
    )


def _step(rng: random.Random, do: str) -> Step:
    """At a moment that comes whatever has been done before."""
    return Step(do, f"after {rng.uniform(0.0, 0.4):.2f}")


def _script(rng: random.Random) -> Script:
    return Script(
        pace_seconds=rng.choice((0.01, 0.02, 0.04, 0.06)),
        after=rng.randint(0, 40),
        unavailable=rng.choice((0, 0, 0, 1, 2)),
        expired=rng.choice((0, 0, 0, 1)),
        waiting=rng.choice((0, 0, 1)),
        waiting_seconds=rng.uniform(0.1, 1.0),
        fetches_unavailable=rng.choice((0, 0, 0, 1)),
        twice=rng.random() < 0.2,
    )
