"""Pages of a crawl on their way into the database: with their place and counts, or not at all."""

from dataclasses import dataclass, field, replace

from connectors.artifact import ExternalId, PartitionKey
from connectors.events import AccessLost, Checkpoint, Failed, Skipped, Tombstone, Upsert
from pipelines.context import Clock
from pipelines.flows.ingestion import Ingestion
from pipelines.flows.page import MOST, Before, Page, Plan, parts, sort, weigh
from pipelines.flows.staging import Staging
from pipelines.journal import Step
from storage import artifacts, crashpoints, partitions
from storage.counts import Counts

# What may wait for the next commit: for so long, so much that is as before, and so little else.
WAIT_SECONDS = 0.5
MOST_SETTLED = 2_000
MOST_CALM = 1_000
"""Artifacts in a page after one in which next to nothing was new: most of looking is the asking."""

MOST_NEWS = 40
NEWS = 0.25
"""At most: as a part of what is as before."""


@dataclass(slots=True)
class PageWriter:
    """Stages what is new of a partition, page by page, each with its place and its counts.

    A page in which next to nothing is new goes with the next commit, if that is soon: a transaction
    for each of them would be most of what a run costs that finds little. Should the attempt die
    before, they are looked through again, and nothing was counted.
    """

    ingestion: Ingestion
    partition: PartitionKey
    most: int = MOST
    """Artifacts in the first page. Later ones may have more."""

    _calm: bool = False
    """In the last page next to nothing was new."""

    _page: Page = field(default_factory=Page)
    _settled: set[ExternalId] = field(default_factory=set[ExternalId])
    _counts: Counts = field(default_factory=Counts)
    _checkpoint: Checkpoint | None = None
    _written_at: float = field(init=False)
    _looked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._written_at = self._looked_at = self._clock.monotonic()

    async def add(self, event: Upsert | Tombstone | AccessLost | Skipped | Failed) -> None:
        self._page.add(event)
        if self._page.full(self.most):
            await self._look_through()

    async def reach(self, checkpoint: Checkpoint) -> None:
        """Save the place that it names with what was added before, or soon after."""
        self._checkpoint = checkpoint
        if checkpoint.done or not self._calm or not self._recent(self._looked_at):
            await self._look_through()

    async def flush(self) -> None:
        """Write all that was added, and the last place that was reached."""
        if self._settled or self._checkpoint or not self._page.empty:
            await self._look_through(at_once=True)

    async def _look_through(self, *, at_once: bool = False) -> None:
        self.ingestion.go_on()
        await self.ingestion.backlog.room(self.ingestion.go_on)
        work, ids = self.ingestion.work, self._page.ids
        known = await work.look(lambda tx: artifacts.known(tx, work.connection.id, ids))
        counted = (self.ingestion.settled, self._settled)
        before = Before(work.run.id, known, counted, work.reader)
        plan = sort(self._page, before)
        self._calm, self._looked_at = self._may_wait(plan), self._clock.monotonic()
        self.most = MOST_CALM if self._calm else MOST
        if self._calm and not at_once:
            self._settled |= plan.settled
            self._counts += plan.counts
            self._page.drop(self._page.upserts.keys() - plan.news)
        else:
            await self._write(plan, before)

    async def _write(self, plan: Plan, before: Before) -> None:
        before = await self._fetch(plan, before)
        crashpoints.reached("page.fetched")
        staging = Staging(self.ingestion, self._page, plan, before)

        async def write(step: Step) -> None:
            step.counts += self._counts
            await staging.write(step)
            crashpoints.reached("page.writing")
            if self._checkpoint is not None:
                await _save(self.ingestion, self.partition, step, self._checkpoint)

        await self.ingestion.work.journal.commit(write)
        crashpoints.reached("page.committed")
        self.ingestion.settled |= self._settled | plan.settled
        self.ingestion.backlog.add(len(plan.stage))
        self.ingestion.work.moved("Looking through the source")
        self._page, self._settled, self._counts = Page(), set(), Counts()
        self._checkpoint, self._written_at = None, self._clock.monotonic()

    async def _fetch(self, plan: Plan, before: Before) -> Before:
        """Add to the plan what the contents tell. Answers what is known of all that they hold."""
        if not plan.fetch:
            return before
        work = self.ingestion.work
        fetched = await self.ingestion.connector.fetch([each.ref for each in plan.fetch])
        if within := parts(fetched):
            more = await work.look(lambda tx: artifacts.known(tx, work.connection.id, within))
            before = replace(before, known={**before.known, **more})
        weigh(plan, before, fetched)
        return before

    def _may_wait(self, plan: Plan) -> bool:
        last = self._checkpoint is not None and self._checkpoint.done
        settled = len(self._settled) + len(plan.settled)
        news = len(plan.news) + len(self._page.skips)
        little = settled < MOST_SETTLED and news <= min(MOST_NEWS, settled * NEWS)
        recent = self._recent(self._written_at)
        return self._page.only_there and little and recent and not last

    def _recent(self, moment: float) -> bool:
        return self._clock.monotonic() - moment < WAIT_SECONDS

    @property
    def _clock(self) -> Clock:
        return self.ingestion.work.journal.clock


async def _save(
    ingestion: Ingestion, partition: PartitionKey, step: Step, checkpoint: Checkpoint
) -> None:
    await partitions.save(
        step.tx,
        ingestion.work.run.tenant,
        ingestion.work.connection.id,
        partition,
        cursor=checkpoint.cursor.model_dump(mode="json"),
        done=checkpoint.done,
        quiet=checkpoint.quiet,
    )
