"""How far a run has come, as those who watch it see it. Pure: it is told things, and sums them up.

Everything that rises is made of ``Counts`` that are committed already, so no picture is ever ahead
of the database, and what an attempt shows never falls behind what the one before it showed.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from storage.counts import Counts

LATEST = 5  # how many of the latest things are shown
STEADY_SECONDS = 2.0  # a shorter look says nothing about the rate
WINDOW_SECONDS = 20.0
FEW = 20  # with fewer items done, an estimate is a guess


class StageKey(StrEnum):
    FIND = "find"
    READ = "read"
    TIDY = "tidy"


class StageStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DONE = "done"


TITLES = {
    StageKey.FIND: "Finding what is there",
    StageKey.READ: "Reading and indexing",
    StageKey.TIDY: "Tidying up",
}


@dataclass(slots=True)
class Pace:
    """How fast it goes: in this attempt as a whole, and lately."""

    _first: tuple[float, int] | None = None
    _recent: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def note(self, now: float, settled: int) -> None:
        self._first = self._first or (now, settled)
        self._recent.append((now, settled))
        while len(self._recent) > 2 and self._recent[1][0] < now - WINDOW_SECONDS:  # noqa: PLR2004
            self._recent.popleft()

    @property
    def done(self) -> int:
        return self._recent[-1][1] - self._first[1] if self._first else 0

    def rate(self, now: float) -> float | None:
        """Items a second lately, None while it is not steady."""
        return self._since(self._recent[0], now) if self._recent else None

    def range(self, now: float) -> tuple[float, float]:
        """A slow and a fast rate between which it should stay; zeros while nothing is known."""
        lately, ever = self.rate(now), self._since(self._first, now) if self._first else None
        if not lately or not ever:
            return 0.0, 0.0
        return min(lately, ever) * 0.7, max(lately, ever) * 1.3

    def _since(self, start: tuple[float, int], now: float) -> float | None:
        seconds = now - start[0]
        return (self._recent[-1][1] - start[1]) / seconds if seconds >= STEADY_SECONDS else None


@dataclass(slots=True)
class Progress:
    counts: Counts
    activity: str = ""
    searchable: int = 0
    status: dict[StageKey, StageStatus] = field(
        default_factory=lambda: dict.fromkeys(StageKey, StageStatus.PENDING)
    )
    latest: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    failures: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    partitions: int | None = None
    tidied: int = 0
    _totals: dict[str, tuple[int, bool]] = field(default_factory=dict[str, tuple[int, bool]])
    _known_total: int = 0
    _pace: Pace = field(default_factory=Pace)

    @classmethod
    def resumed(cls, state: Mapping[str, Any], counts: Counts) -> "Progress":
        """Go on from what the run's milestones add up to, and its counts."""
        progress = cls(counts, searchable=state.get("searchable", 0))
        progress.failures = list(state.get("failures", ()))
        progress.latest = list(state.get("latest", ()))
        for stage in state.get("stages", ()):
            progress.status[StageKey(stage["key"])] = StageStatus(stage["status"])
            if stage["key"] == StageKey.FIND:
                progress._known_total = stage["total"] or 0
            if stage["key"] == StageKey.TIDY:
                progress.tidied = stage["done"]
        return progress

    def expect(self, partition: str, artifacts: int, *, exact: bool) -> None:
        self._totals[partition] = (artifacts, exact)

    def fail(self, failure: Mapping[str, Any]) -> None:
        earlier = [each for each in self.failures if each != failure]  # a commit may be repeated
        self.failures = [failure, *earlier][:LATEST]

    def ready(self, made: list[Mapping[str, Any]]) -> None:
        self.latest = [*made[::-1], *self.latest][:LATEST]

    def committed(self, counts: Counts, *, now: float, tidied: int = 0, gained: int = 0) -> None:
        self.counts = counts
        self.tidied += tidied
        self.searchable += gained
        self._pace.note(now, counts.settled)

    def moved(self, counts: Counts, *, tidied: int = 0, gained: int = 0) -> Mapping[str, Any]:
        """What is kept with the counts: as many partitions, and artifacts to be searched, more."""
        searchable = self.searchable + gained
        return {"stages": self.stages(counts, tidied=tidied), "searchable": searchable}

    def stages(self, counts: Counts, *, tidied: int = 0) -> list[Mapping[str, Any]]:
        found, final = self._found(counts)
        tidy_final = self.partitions is not None
        tidied += self.tidied
        tidied = tidied if self.partitions is None else min(tidied, self.partitions)
        return [
            self._stage(StageKey.FIND, counts.found, found, final=final),
            self._stage(StageKey.READ, counts.settled, found, final=final),
            self._stage(StageKey.TIDY, tidied, self.partitions, final=tidy_final),
        ]

    def patch(self, *, now: float) -> dict[str, Any]:
        """The fields of the run's state that move by themselves."""
        rate = self._pace.rate(now)
        return {
            "counts": self.counts.to_json(),
            "stages": self.stages(self.counts),
            "rate": None if rate is None else round(rate, 1),
            "eta": self._eta(now),
            "activity": self.activity,
            "searchable": self.searchable,
            "latest": self.latest,
            "failures": self.failures,
        }

    def _found(self, counts: Counts) -> tuple[int | None, bool]:
        """How many things there are in all, and whether that is the last word."""
        if self.status[StageKey.FIND] is StageStatus.DONE:
            return counts.found, True
        totals = self._totals.values()
        known = max(sum(artifacts for artifacts, _ in totals), self._known_total)
        complete = self.partitions is not None and len(totals) >= self.partitions
        final = complete and all(exact for _, exact in totals) and known >= counts.found
        return (max(known, counts.found), final) if known else (None, False)

    def _stage(
        self, key: StageKey, done: int, total: int | None, *, final: bool
    ) -> Mapping[str, Any]:
        return {
            "key": key,
            "title": TITLES[key],
            "status": self.status[key],
            "done": done,
            "total": total,
            "final": final,
        }

    def _eta(self, now: float) -> Mapping[str, int] | None:
        total, final = self._found(self.counts)
        slow, fast = self._pace.range(now)
        if not final or total is None or not slow or self._pace.done < FEW:
            return None
        left = total - self.counts.settled
        if left <= 0:
            return None
        return {"low_seconds": int(left / fast), "high_seconds": int(left / slow) + 1}


@dataclass(slots=True)
class Job:
    """Items that a component works on. ``shown``: how many were settled for those who watched."""

    total: int = 0
    shown: int = 0
    settled: set[str] = field(default_factory=set[str])

    @property
    def done(self) -> int:
        # Failures of an attempt that died are looked up only when its items come: never fall.
        return max(len(self.settled), self.shown)


@dataclass(slots=True)
class Jobs(Progress):
    """Of a workflow: a stage for each component that it maps over items."""

    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    expected: dict[str, int] = field(default_factory=dict[str, int])
    """Items by component, as this attempt knows them so far."""

    @classmethod
    def resumed(cls, state: Mapping[str, Any], counts: Counts) -> "Jobs":
        progress = cls(counts)
        progress.failures = list(state.get("failures", ()))
        for stage in state.get("stages", ()):
            progress.jobs[stage["key"]] = Job(stage["total"] or 0, stage["done"])
        return progress

    def begin(self, component: str, number: int) -> None:
        job = self.jobs.setdefault(component, Job())
        self.expected[component] = self.expected.get(component, 0) + number
        job.total = max(job.total, self.expected[component])

    def settle(self, component: str, keys: Collection[str]) -> None:
        """Settling them again changes nothing."""
        self.jobs.setdefault(component, Job()).settled |= set(keys)

    def stages(
        self,
        counts: Counts,  # noqa: ARG002  # of all of them together
        *,
        tidied: int = 0,  # noqa: ARG002  # there are no partitions
    ) -> list[Mapping[str, Any]]:
        return [
            {
                "key": name,
                "title": name.replace("_", " ").capitalize(),
                "status": StageStatus.DONE if job.done >= job.total else StageStatus.ACTIVE,
                "done": min(job.done, job.total),
                "total": job.total,
                "final": True,
            }
            for name, job in self.jobs.items()
        ]

    def _found(self, counts: Counts) -> tuple[int | None, bool]:  # noqa: ARG002  # see above
        return (sum(job.total for job in self.jobs.values()), True) if self.jobs else (None, False)
