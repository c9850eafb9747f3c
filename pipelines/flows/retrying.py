"""Trying again what failed, and nothing else: by reference, whatever the cursors say.

What was fetched and could not be read is read again as it is kept. What could not be fetched is
fetched by its reference. Only where a part of a partition could not be listed, or where a failure
is all that is known of an artifact, is the partition listed again. No cursor moves, nothing is
tidied away, and only what is tried again is counted.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from connectors.artifact import Artifact, ExternalId, FailureClass, PartitionKey, Priority, Ref
from connectors.errors import SourceUnavailable
from connectors.events import (
    AccessLost,
    Checkpoint,
    Event,
    Failed,
    Skipped,
    Tombstone,
    Total,
    Upsert,
)
from pipelines.component import component
from pipelines.context import Context
from pipelines.errors import Explanation
from pipelines.flows.crawl import Crawl
from pipelines.flows.ingestion import Ingestion, failure, record_failures
from pipelines.flows.pagewriter import PageWriter
from pipelines.guards import Boundary, Retry, Traced
from pipelines.journal import Step
from pipelines.progress import StageKey
from pipelines.runtime import Work
from storage import artifacts, blobs, failures
from storage.artifacts import Known, NewArtifact
from storage.counts import Counts
from storage.database import Tx
from storage.failures import Failure

_GONE = Explanation(
    FailureClass.NOT_FOUND,
    "The source does not have it any more.",
    "Start an ordinary run: it takes out what is gone from the source.",
)


async def partitions_of(
    ingestion: Ingestion,
) -> tuple[Sequence[PartitionKey], Sequence[PartitionKey]]:
    """Those to look through, and those to tidy up: where only failures are retried, none."""
    work = ingestion.work
    if work.run.only_failed:
        found = await work.look(_to_retry(work))
        return [PartitionKey(key) for key in found], ()
    keys = [partition.key for partition in (await ingestion.connector.plan()).partitions]
    return keys, keys


@component(Traced(), Boundary(), Retry(on=(SourceUnavailable,), attempts=5))
async def retry(_: Context, ingestion: Ingestion, partition: PartitionKey) -> None:
    """Try again what failed of a partition. Doing it again leaves out what this run has done."""
    work = ingestion.work
    found = await work.look(_to_retry(work))
    failed = {row.external_id: row for row in found.get(partition, ())}
    known = await work.look(lambda tx: artifacts.described(tx, work.connection.id, failed))
    torn = failed.pop(ExternalId(""), None) is not None
    work.progress.expect(partition, len(failed) + torn, exact=not torn)
    await _fetch(ingestion, partition, [known[key] for key in failed if key in known], failed)
    unknown = failed.keys() - known.keys()
    if torn or unknown:
        await _list(ingestion, partition, unknown, whole=torn)
    await _settle(ingestion, failed)


async def _fetch(
    ingestion: Ingestion,
    partition: PartitionKey,
    rows: Sequence[NewArtifact],
    failed: Mapping[str, Failure],
) -> None:
    writer = PageWriter(ingestion, partition)
    for row in rows:
        kept = failed[row.external_id].stage == StageKey.READ and await _kept(ingestion, row)
        await writer.add(Upsert(_artifact(row, kept=kept)))
    await writer.flush()


async def _kept(ingestion: Ingestion, row: NewArtifact) -> bool:
    work = ingestion.work
    return bool(row.digest) and await work.look(
        lambda tx: blobs.has(tx, work.run.tenant, row.digest)
    )


def _artifact(row: NewArtifact, *, kept: bool) -> Artifact:
    """As its source would name it. Without a version, it is fetched: nobody knows which it is now.

    The next ordinary run compares the content then, as it finds another version.
    """
    return Artifact(
        ref=Ref(PartitionKey(row.partition), ExternalId(row.external_id)),
        version=row.version if kept else "",
        kind=row.kind,
        title=row.title,
        path=row.path,
        url=row.url,
        mime=row.mime,
        size=row.size,
        priority=Priority(row.priority),
        created_at=row.created_at,
        updated_at=row.updated_at,
        meta=row.meta,
    )


async def _list(
    ingestion: Ingestion, partition: PartitionKey, failed: frozenset[str] | set[str], *, whole: bool
) -> None:
    """List the partition from its start, for what failed; if ``whole``, for all that is new."""
    work = ingestion.work
    known: Mapping[str, Known] = {}
    if whole:
        kept = await work.look(lambda tx: artifacts.absent(tx, work.connection.id, partition, ()))
        known = {each.external_id: each for each in kept}
    await Crawl(ingestion, partition).read(None, wanted=_wanted(failed, known, whole=whole))
    if not whole or partition in ingestion.partial:
        return

    async def write(step: Step) -> None:
        await failures.part_read(step.tx, work.connection.id, partition)

    await work.journal.commit(write)


def _wanted(
    failed: frozenset[str] | set[str], known: Mapping[str, Known], *, whole: bool
) -> Callable[[Event], bool]:
    def wanted(event: Event) -> bool:
        match event:
            case Total() | Checkpoint() | Tombstone() | AccessLost():
                return False
            case Upsert(Artifact(ref=ref, version=version)):
                before = known.get(ref.external_id)
                return ref.external_id in failed or (
                    whole and (before is None or before.version != version)
                )
            case Skipped(ref) | Failed(Ref() as ref):
                return ref.external_id in failed or (whole and ref.external_id not in known)
            case Failed(None):
                return whole
            case _:
                return True

    return wanted


async def _settle(ingestion: Ingestion, failed: Mapping[str, Failure]) -> None:
    """What was asked for and neither came nor failed again is gone: it stays failed, for now."""
    work = ingestion.work
    now = await work.look(lambda tx: artifacts.known(tx, work.connection.id, failed))
    rows = [
        failure(
            _GONE,
            partition=row.partition,
            external_id=row.external_id,
            title=row.title,
            stage=StageKey(row.stage),
        )
        for key, row in failed.items()
        if key not in now or now[key].run_id != work.run.id
    ]

    async def write(step: Step) -> None:
        step.counts += Counts(found=len(rows))
        await record_failures(work, step, rows)

    if rows:
        await work.journal.commit(write)


def _to_retry(work: Work) -> Callable[[Tx], Awaitable[Mapping[str, list[Failure]]]]:
    return lambda tx: failures.to_retry(tx, work.connection.id, work.run.id)
