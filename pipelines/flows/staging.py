"""What a page of a crawl writes into the database, each part with what it adds to the counts."""

from dataclasses import dataclass

from connectors.artifact import ExternalId, part_of
from connectors.events import Failed, Skipped
from pipelines.errors import Explanation, explain
from pipelines.flows.ingestion import Ingestion, failure, record_failures, recount
from pipelines.flows.page import Before, Page, Plan, by_reason, described
from pipelines.journal import Step
from pipelines.progress import StageKey
from storage import artifacts, blobs, partitions
from storage.artifacts import ArtifactStatus, NewSkip
from storage.counts import Counts
from storage.failures import Failure

FAILED, HIDDEN, SKIPPED = ArtifactStatus.FAILED, ArtifactStatus.HIDDEN, ArtifactStatus.SKIPPED


@dataclass(frozen=True, slots=True)
class Staging:
    """A page set against what is known, as it is written."""

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
        if self._shifts:
            await recount(self.ingestion.work, step)

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

    @property
    def _shifts(self) -> bool:
        """Whether something that was made searchable leaves the index with it, or comes back."""
        skipped, known = {*self.page.skips, *self.plan.skips}, self.before.known
        staged = (known.get(ExternalId(row.external_id)) for row in self.plan.stage)
        return (
            any(each is not None and each.status is HIDDEN for each in staged)
            or any(key in known and known[key].ready_key for key in skipped)
            or bool(self.page.gone or self.page.lost or self.page.lost_parts)
        )

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
