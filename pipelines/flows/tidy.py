"""Tidying: what is gone from the source goes from the index, if that is certain."""

from contextlib import aclosing
from typing import Any, cast

import structlog

from connectors.artifact import ExternalId, PartitionKey, whole_of
from connectors.errors import SourceUnavailable
from connectors.events import CensusComplete
from pipelines.certainty import Verdict, judge
from pipelines.component import component
from pipelines.context import Context
from pipelines.flows.ingestion import Ingestion, recount
from pipelines.guards import Boundary, Retry, Traced
from pipelines.journal import Step
from pipelines.vital import SOURCE_PATIENCE
from storage import artifacts, crashpoints, deletions, partitions, runs
from storage.artifacts import ArtifactStatus
from storage.counts import Counts
from storage.events import EventKind

log = structlog.get_logger()


@component(Traced(), Boundary(), Retry(on=(SourceUnavailable,), attempts=5))
async def tidy(context: Context, ingestion: Ingestion, partition: PartitionKey) -> None:
    """Let go what a complete census of the partition does not name, where that is certain.

    What is in doubt (``pipelines.certainty``) is kept, and the run says so. There is no census
    where an earlier one settled it, and the source has told of everything that left since.
    """
    work = ingestion.work
    work.go_on()
    work.moved("Looking for what is gone from the source")
    saved = (await work.look(lambda tx: partitions.load(tx, work.connection.id))).get(partition)
    settled = saved is not None and saved.settled and partition not in ingestion.partial
    with context.vital.holding(SOURCE_PATIENCE):
        seen = None if settled else await _census(ingestion, partition)
    if seen is None:
        verdict = Verdict()
    else:
        verdict = await _verdict(ingestion, partition, seen)
    crashpoints.reached("tidy.listed")
    ingestion.held_back += len(verdict.kept)

    async def write(step: Step) -> None:
        if seen is not None:
            await _settle(ingestion, step, partition, seen, verdict)
        if not settled:
            certain = seen is not None and verdict.doubt is None
            await partitions.settle(step.tx, work.connection.id, partition, settled=certain)
        step.tidied += 1
        crashpoints.reached("tidy.writing")

    await work.journal.commit(write)
    crashpoints.reached("tidy.committed")
    work.moved()


async def _settle(
    ingestion: Ingestion,
    step: Step,
    partition: PartitionKey,
    seen: frozenset[str],
    verdict: Verdict,
) -> None:
    """What is named comes back, what is gone goes, and what is in doubt is asked about."""
    run, connection = ingestion.work.run, ingestion.work.connection.id
    back = await artifacts.find_again(step.tx, connection, partition, seen)
    gone = await artifacts.hide(step.tx, connection, [each.external_id for each in verdict.gone])
    step.counts += Counts(deleted=gone)
    if back or gone:
        await recount(ingestion.work, step)
    if verdict.doubt is None:
        await deletions.settle(step.tx, connection, partition)
        return
    log.warning("tidy.held_back", partition=partition, artifacts=len(verdict.kept))
    asked = await deletions.doubt(
        step.tx,
        run.tenant,
        connection,
        partition,
        run=run.id,
        missing=[known.external_id for known in verdict.kept],
        total=len(seen) + len(verdict.kept),
        reason=verdict.doubt,
    )
    told = {
        "deletion_id": str(asked.id),
        "partition": partition,
        "artifacts": asked.artifacts,
        "total": asked.total,
        "reason": asked.reason,
        "action": "Look whether they are gone from the source, then approve it or decline it.",
    }
    step.tell(EventKind.DELETION_HELD, told)


async def _census(ingestion: Ingestion, partition: PartitionKey) -> frozenset[str] | None:
    """Every id there is, or None if the listing had a hole: then absence means nothing."""
    if partition in ingestion.partial:
        return None
    seen: set[str] = set()
    complete = False
    events = ingestion.connector.census(partition)
    async with aclosing(cast(Any, events)):
        async for event in events:
            ingestion.work.context.vital.advance()
            if isinstance(event, CensusComplete):
                complete = True
            else:
                seen.add(event.ref.external_id)
    return frozenset(seen) if complete else None


async def _verdict(ingestion: Ingestion, partition: PartitionKey, seen: frozenset[str]) -> Verdict:
    """What is gone. What this very run has seen is there, whatever an older listing says.

    Skipped ones are not in a census, and were never in the index; parts go with their whole.
    """
    work = ingestion.work
    lacking = [
        known
        for known in await work.look(
            lambda tx: artifacts.absent(tx, work.connection.id, partition, seen)
        )
        if known.status is not ArtifactStatus.SKIPPED
        and whole_of(ExternalId(known.external_id)) not in seen
    ]
    absent = [
        known
        for known in lacking
        if known.run_id != work.run.id and known.external_id not in ingestion.settled
    ]
    return judge(
        absent,
        named=len(seen),
        witnessed=len(lacking) - len(absent),
        settled_at=await work.look(lambda tx: runs.first_success(tx, work.connection.id)),
        now=work.context.clock.now(),
    )
