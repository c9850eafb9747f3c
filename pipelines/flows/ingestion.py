"""One attempt at an ingestion: what its crawl, its batches and its tidying share."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.artifact import ExternalId, PartitionKey
from connectors.connector import Connector, Spec
from pipelines.errors import Explanation, MustWait, longest
from pipelines.journal import Step
from pipelines.progress import StageKey, StageStatus
from pipelines.runtime import Work
from storage import artifacts, failures
from storage.artifacts import Staged
from storage.counts import Counts
from storage.events import EventKind
from storage.failures import Failure
from storage.ids import ArtifactId

FIRST_BATCH = 10  # small, so that something can be searched soon
LANES = 2  # what is in hand is half computed, half committed; together it is one batch
MUCH = 2_000  # staged and not processed: the crawl pauses, or a fast source would fill the disk


@dataclass(slots=True)
class Ingestion:
    work: Work
    spec: Spec
    connector: Connector
    backlog: "Backlog"
    batches: dict[int, Sequence[Staged]] = field(default_factory=dict[int, Sequence[Staged]])
    partial: set[PartitionKey] = field(default_factory=set[PartitionKey])
    """Partitions of which a part could not be read: absence means nothing there."""

    settled: set[ExternalId] = field(default_factory=set[ExternalId])
    """Whom this attempt has found to be as before: their rows do not tell."""

    lanes: int = LANES
    held_back: int = 0
    wait: MustWait | None = None
    """What a part of it must wait for: the others come to their next boundary, and then it does."""

    _crawled: bool = False
    _reading_waits: bool = False
    _taken: int = 0
    _taking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def go_on(self) -> None:
        """Call at every boundary of the crawl. Raises ``HandedOver`` or ``MustWait``."""
        self.work.go_on()
        if self.wait is not None:
            raise self.wait

    def must_wait(self, wait: MustWait, *, reading: bool) -> None:
        """What is staged is read first if only the source has to be waited for."""
        self._reading_waits |= reading
        self.wait = wait if self.wait is None else longest([self.wait, wait])
        self.backlog.changed()

    def crawled(self) -> None:
        self._crawled = True
        self.backlog.changed()

    async def take(self) -> int | None:
        """Reserve the next batch and answer its number; None when there is no more to be done."""
        async with self._taking:
            while not (self.work.stopping or self._reading_waits):
                # Both asked first, so that nothing that happens during the look is missed.
                last, news = self._crawled, self.backlog.news
                rows = await self._next()
                if rows:
                    return self.reserve(rows)
                if last:
                    return None
                await news.wait()
        return None

    def reserve(self, rows: Sequence[Staged]) -> int:
        """Keep these for one lane. Answers the number of their batch."""
        self._taken += 1
        self.batches[self._taken] = rows
        return self._taken

    async def _next(self) -> Sequence[Staged]:
        batch = max(1, self.work.services.settings.batch // self.lanes)
        in_hand: set[ArtifactId] = {row.id for rows in self.batches.values() for row in rows}
        limit = batch if self._taken else min(batch, FIRST_BATCH)
        run = self.work.run.id if self.work.run.only_failed else None
        return await self.work.look(
            lambda tx: artifacts.queue(
                tx, self.work.connection.id, limit=limit, excluding=in_hand, run=run
            )
        )


@dataclass(slots=True)
class Backlog:
    """How much is staged and not processed, as far as this attempt knows."""

    size: int
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the next change, and then never again: whoever waits takes it before looking."""

    def add(self, number: int) -> None:
        if number:
            self.size += number
            self.changed()

    def changed(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    async def room(self, go_on: Callable[[], None]) -> None:
        while self.size >= MUCH:
            news = self.news
            go_on()
            await news.wait()


def start_stage(work: Work, step: Step, stage: StageKey) -> None:
    if work.progress.status[stage] is StageStatus.PENDING:
        work.progress.status[stage] = StageStatus.ACTIVE
        step.tell(EventKind.STAGE_STARTED, {"stage": stage})


def finish_stage(work: Work, step: Step, stage: StageKey, **data: object) -> None:
    if work.progress.status[stage] is not StageStatus.DONE:
        work.progress.status[stage] = StageStatus.DONE
        step.tell(EventKind.STAGE_FINISHED, {"stage": stage, **data})


async def recount(work: Work, step: Step) -> None:
    """Find out how much can be searched; a batch only adds its own, as counting takes long."""
    there = await artifacts.searchable(step.tx, work.connection.id)
    step.gained = there - work.progress.searchable


async def record_failures(work: Work, step: Step, rows: Sequence[Failure]) -> None:
    """Keep them, count them and tell them."""
    if not rows:
        return
    run = work.run
    await failures.record(step.tx, run.tenant, work.connection.id, run.id, rows)
    step.counts += Counts(failed=Counter(row.failure for row in rows))
    for row in rows:
        told = {
            "title": row.title,
            "stage": row.stage,
            "failure": row.failure,
            "detail": row.detail,
            "action": row.action,
        }
        work.progress.fail(told)
        step.tell(EventKind.ITEM_FAILED, told, failures=work.progress.failures)


def failure(
    explanation: Explanation, *, partition: str, external_id: str, title: str, stage: StageKey
) -> Failure:
    return Failure(
        partition=partition,
        external_id=external_id,
        title=title,
        stage=stage,
        failure=explanation.failure,
        detail=explanation.detail,
        action=explanation.action,
    )
