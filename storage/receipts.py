"""What a run came to: its counts, what the index holds, and what failed. The numbers add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, or_, select

from storage import artifacts, failures, runs
from storage.artifacts import ArtifactStatus
from storage.clock import now
from storage.counts import Counts
from storage.database import Tx
from storage.events import EventKind, RunStatus
from storage.failures import Failure
from storage.ids import ConnectionId, RunId, TenantId
from storage.runs import Run
from storage.tables import artifacts as artifacts_table
from storage.tables import chunks, milestones

SAMPLE = 10
READ = "read"
"""The stage at which a model reads, as runs name it."""


@dataclass(frozen=True, slots=True)
class Index:
    """What of the connection can be searched now, whichever run put it there."""

    artifacts: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``seconds`` since the first attempt began, None before.

    ``failures`` are some of those open, ``unread`` some of what the run processed and a model
    should have read or embedded and could not.
    """

    run: Run
    status: RunStatus
    seconds: float | None
    counts: Counts
    adds_up: bool
    index: Index
    failures: Sequence[Failure]
    unread: Sequence[Failure]
    reader: Mapping[str, Any] | None


async def receipt(tx: Tx, tenant: TenantId, run_id: RunId) -> Receipt | None:
    """The receipt of a run, or how far it has come while it goes on."""
    run = await runs.get(tx, tenant, run_id)
    if run is None:
        return None
    return Receipt(
        run=run,
        status=run.status,
        seconds=_seconds(run),
        counts=run.counts,
        adds_up=run.counts.adds_up,
        index=await _index(tx, run.connection),
        failures=await _sample(tx, run),
        unread=await _unread(tx, run) if run.counts.unread else (),
        reader=await _reader(tx, run.id),
    )


def _seconds(run: Run) -> float | None:
    if run.started_at is None:
        return None
    return ((run.finished_at or now()) - run.started_at).total_seconds()


async def _index(tx: Tx, connection: ConnectionId | None) -> Index:
    if connection is None:
        return Index(artifacts=0, chunks=0)
    query = (
        select(func.count())
        .select_from(chunks.join(artifacts_table, artifacts_table.c.id == chunks.c.artifact_id))
        .where(
            chunks.c.connection_id == connection, artifacts_table.c.status != ArtifactStatus.HIDDEN
        )
    )
    return Index(
        artifacts=await artifacts.searchable(tx, connection),
        chunks=int((await tx.execute(query)).scalar_one()),
    )


async def _sample(tx: Tx, run: Run) -> Sequence[Failure]:
    if run.connection is None:
        return ()
    rows = await failures.page(tx, run.tenant, run.connection, run=run.id, after=None, limit=SAMPLE)
    return [row.failure for row in rows]


async def _unread(tx: Tx, run: Run) -> Sequence[Failure]:
    told = [artifacts_table.c.reading[name] for name in ("unread", "unembedded")]
    query = (
        select(artifacts_table)
        .where(
            artifacts_table.c.connection_id == run.connection,
            artifacts_table.c.run_id == run.id,
            or_(*(each["code"].as_string().is_not(None) for each in told)),
        )
        .order_by(artifacts_table.c.id)
        .limit(SAMPLE)
    )
    return [_not_read(row) for row in await tx.execute(query)]


def _not_read(row: Row[Any]) -> Failure:
    told = row.reading.get("unread") or row.reading["unembedded"]
    return Failure(
        partition=row.partition,
        external_id=row.external_id,
        title=row.path or row.title,
        stage=READ,
        failure=told["code"],
        detail=told["message"],
        action=told["action"],
    )


async def _reader(tx: Tx, run_id: RunId) -> Mapping[str, Any] | None:
    """What read the artifacts, as the run told it last."""
    query = (
        select(milestones.c.patch)
        .where(milestones.c.run_id == run_id, milestones.c.kind != EventKind.ITEM_FAILED)
        .order_by(milestones.c.number)
    )
    told = [patch["reader"] for (patch,) in await tx.execute(query) if "reader" in patch]
    return told[-1] if told else None
