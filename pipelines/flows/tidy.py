"""Tidying: what is gone from the source goes from the index, if that is certain."""

from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

import structlog

from connectors.artifact import ExternalId, PartitionKey, whole_of
from connectors.errors import SourceUnavailable
from connectors.events import CensusComplete
from pipelines.component import component
from pipelines.context import Context
from pipelines.flows.ingestion import Ingestion
from pipelines.guards import Boundary, Retry, Traced
from pipelines.journal import Step
from pipelines.vital import SOURCE_PATIENCE
from storage import artifacts, crashpoints
from storage.artifacts import ArtifactStatus, Known
from storage.clock import now
from storage.counts import Counts

FEW = 20
SHARE = 0.1
KEEP_HIDDEN = timedelta(days=30)
"""What access was lost to may come back, with nothing to pay for it; after that it is deleted."""
_UNSEEN = frozenset({ArtifactStatus.SKIPPED, ArtifactStatus.HIDDEN})

log = structlog.get_logger()


@component(Traced(), Boundary(), Retry(on=(SourceUnavailable,), attempts=5))
async def tidy(context: Context, ingestion: Ingestion, partition: PartitionKey) -> None:
    """Delete what a complete census of the partition does not name.

    A large loss looks like a disk that is not mounted or a permission that was taken: more than
    ``FEW`` and more than ``SHARE`` of the partition are held back, and the run says so.
    """
    work = ingestion.work
    work.go_on()
    work.moved("Looking for what is gone from the source")
    with context.vital.holding(SOURCE_PATIENCE):
        seen = await _census(ingestion, partition)
    gone = [] if seen is None else await _absent(ingestion, partition, seen)
    crashpoints.reached("tidy.listed")
    allowed = max(FEW, SHARE * (len(seen or ()) + len(gone)))
    if len(gone) > allowed:
        log.warning("tidy.held_back", partition=partition, artifacts=len(gone))
        ingestion.held_back += len(gone)
        gone = []

    async def write(step: Step) -> None:
        ids = [known.external_id for known in gone]
        step.counts += Counts(deleted=await artifacts.delete(step.tx, work.connection.id, ids))
        await artifacts.forget_hidden(step.tx, work.connection.id, since=now() - KEEP_HIDDEN)
        step.tidied += 1
        crashpoints.reached("tidy.writing")
        work.progress.searchable = await artifacts.searchable(step.tx, work.connection.id)

    await work.journal.commit(write)
    crashpoints.reached("tidy.committed")
    work.moved()


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


async def _absent(
    ingestion: Ingestion, partition: PartitionKey, seen: frozenset[str]
) -> list[Known]:
    """Those skipped or hidden are in no census, and not in the index; parts go with their whole."""
    work = ingestion.work
    absent = await work.look(lambda tx: artifacts.absent(tx, work.connection.id, partition, seen))
    wanted = (known for known in absent if known.status not in _UNSEEN)
    return [known for known in wanted if whole_of(ExternalId(known.external_id)) not in seen]
