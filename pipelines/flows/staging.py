"""A page of a crawl on its way into the database: with its cursor and its counts, or not at all."""

from dataclasses import dataclass, field, replace

from connectors.artifact import ExternalId, PartitionKey, part_of
from connectors.events import AccessLost, Checkpoint, Failed, Skipped, Tombstone, Upsert
from pipelines.context import Clock
from pipelines.errors import Explanation, explain
from pipelines.flows.ingestion import Ingestion, failure, record_failures
from pipelines.flows.page import MOST, Before, Page, Plan, by_reason, described, parts, sort, weigh
from pipelines.journal import Step
from pipelines.progress import StageKey
from storage import artifacts, blobs, crashpoints, partitions
from storage.artifacts import ArtifactStatus, NewSkip
from storage.counts import Counts
from storage.failures import Failure

FAILED, HIDDEN, SKIPPED = ArtifactStatus.FAILED, ArtifactStatus.HIDDEN, ArtifactStatus.SKIPPED

# What may wait for the next commit: for so long, so much that is as before, and so little else.
WAIT_SECONDS = 0.5
MOST_SETTLED = 2_000
MOST_NEWS = 40
NEWS = 0.25
"""At most: as a part of what is as before."""

CALM = 500
"""Artifacts of a page, where the one before brought next to nothing."""


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

    _page: Page = field(default_factory=Page)
    _settled: set[ExternalId] = field(default_factory=set[ExternalId])
    _counts: Counts = field(default_factory=Counts)
    _checkpoint: Checkpoint | None = None
    _calm: bool = False
    """Next to nothing was new the last time: so more is looked through at once."""

    _written_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._written_at = self._clock.monotonic()

    async def add(self, event: Upsert | Tombstone | AccessLost | Skipped | Failed) -> None:
        self._page.add(event)
        if self._page.full(CALM if self._calm else self.most):
            self.most = MOST
            await self._look_through()

    async def reach(self, checkpoint: Checkpoint) -> None:
        """Save the place that it names with what was added before, or soon after."""
        self._checkpoint = checkpoint
        if checkpoint.done or not (self._calm and self._recent):
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
        waits = not at_once and self._may_wait(plan)
        self._calm = waits and bool(plan.settled)
        if waits:
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
        return self._page.only_there and little and self._recent and not last

    @property
    def _recent(self) -> bool:
        return self._clock.monotonic() - self._written_at < WAIT_SECONDS

    @property
    def _clock(self) -> Clock:
        return self.ingestion.work.journal.clock


@dataclass(frozen=True, slots=True)
class Staging:
    """What a page's transaction writes, each part with what it adds to the counts."""

    ingestion: Ingestion
    page: Page
    plan: Plan
    before: Before

    async def write(self, step: Step) -> None:
        step.counts += self.plan.counts
        await self._stage(step)
        await self._skip(step)
        await self._fail(step)
        await self._delete(step)
        await self._hide(step)

    async def _stage(self, step: Step) -> None:
        work, plan = self.ingestion.work, self.plan
        await blobs.put(step.tx, work.run.tenant, plan.bodies)
        new = [row for row in plan.stage if row.external_id not in plan.again]
        again = [row for row in plan.stage if row.external_id in plan.again]
        for rows, kept in ((new, ()), (again, artifacts.TOLD)):
            await artifacts.stage(
                step.tx, work.run.tenant, work.connection.id, work.run.id, rows, kept=kept
            )
        touched = [(each.external_id, each.version) for each in plan.touch]
        await artifacts.touch(step.tx, work.connection.id, touched)
        await artifacts.describe(step.tx, work.connection.id, plan.touch)
        staged = [ExternalId(new.external_id) for new in plan.stage]
        step.counts += Counts(found=self.before.found(staged))

    async def _skip(self, step: Step) -> None:
        work, said = self.ingestion.work, self.page.skips | self.plan.skips
        skips = {key: skip for key, skip in said.items() if not self._is(key, SKIPPED)}
        rows = [_new_skip(key, skip) for key, skip in skips.items()]
        await artifacts.skip(step.tx, work.run.tenant, work.connection.id, work.run.id, rows)
        # What only its bytes told to skip is remembered by its version, and not fetched again.
        fetched = {artifact.ref.external_id: artifact.version for artifact in self.plan.fetch}
        versions = [(key, fetched[key]) for key in skips if key in fetched]
        await artifacts.touch(step.tx, work.connection.id, versions)
        step.counts += Counts(found=self.before.found(list(skips)), skipped=by_reason(skips))

    async def _fail(self, step: Step) -> None:
        said = [_failure_of(key, event) for key, event in self.page.failed.items()]
        said += [_failure_of(None, part) for part in self.page.parts]
        said += self._not_fetched()
        new = [row for row in said if not self._is(ExternalId(row.external_id), FAILED)]
        whole = [ExternalId(row.external_id) for row in new if row.external_id]
        parts = len(new) - len(whole)
        step.counts += Counts(found=parts + self.before.found(whole))
        await record_failures(self.ingestion.work, step, new)
        # What is known of it is not lost with it: by that, it can be had again on its own.
        without = [described(a) for a in self.plan.fetch if a.ref.external_id in self.plan.failed]
        await artifacts.describe(step.tx, self.ingestion.work.connection.id, without)

    async def _delete(self, step: Step) -> None:
        known = self.before.known
        there = [key for key in self.page.gone if key in known and known[key].status is not HIDDEN]
        if not there:
            return
        # One that this run had staged is accounted for as a skip: it was there, and is gone.
        owed = len(there) - self.before.found(there)
        step.counts += Counts(skipped={"deleted": owed} if owed else {})
        deleted = await artifacts.hide(step.tx, self.ingestion.work.connection.id, there)
        step.counts += Counts(deleted=deleted - owed)

    async def _hide(self, step: Step) -> None:
        work, page = self.ingestion.work, self.page
        ids = [key for key in page.lost if key in self.before.known]
        scope = (work.connection.id, work.run.id)
        within = [part_of(key, "") for key in ids]
        hidden = await artifacts.lose(step.tx, *scope, ids=ids, beginnings=within)
        for partition in page.lost_parts:
            hidden += await artifacts.lose(step.tx, *scope, partition=partition)
            await partitions.forget(step.tx, work.connection.id, partition)
        if hidden.number:
            skipped = {artifacts.ACCESS_LOST: hidden.number}
            step.counts += Counts(found=hidden.number - hidden.staged, skipped=skipped)

    def _not_fetched(self) -> list[Failure]:
        return [
            failure(
                explain(self.plan.failed[artifact.ref.external_id]),
                partition=artifact.ref.partition,
                external_id=artifact.ref.external_id,
                title=artifact.path or artifact.title,
                stage=StageKey.FIND,
            )
            for artifact in self.plan.fetch
            if artifact.ref.external_id in self.plan.failed
        ]

    def _is(self, external_id: ExternalId, status: ArtifactStatus) -> bool:
        """Whether this run has said so already."""
        known = self.before.known.get(external_id)
        return known is not None and known.run_id == self.before.run and known.status is status


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


def _new_skip(external_id: ExternalId, skip: Skipped) -> NewSkip:
    return NewSkip(
        partition=skip.ref.partition,
        external_id=external_id,
        title=skip.title,
        reason=skip.reason,
        detail=skip.detail,
        size=skip.size,
    )


def _failure_of(external_id: ExternalId | None, event: Failed) -> Failure:
    return failure(
        Explanation(event.failure, event.detail, event.action),
        partition=event.partition,
        external_id=external_id or "",
        title=event.title or external_id or event.partition,
        stage=StageKey.FIND,
    )
