"""What could not be ingested, why, and what the user can do. Data, not log lines.

A failure is open until its artifact is ready, skipped or deleted: see ``storage.artifacts``.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, select, update

from storage.artifacts import ArtifactStatus
from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, RunId, TenantId
from storage.tables import artifacts, failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """``external_id`` is empty when a part of the partition failed and not one artifact."""

    partition: str
    external_id: str
    title: str
    stage: str
    failure: str
    detail: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFailure:
    id: int
    connection: ConnectionId
    run: RunId
    fingerprint: str
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime
    failure: Failure


async def record(
    tx: Tx, tenant: TenantId, connection_id: ConnectionId, run_id: RunId, rows: Sequence[Failure]
) -> None:
    """Keep these failures, and say so in the artifacts' rows. Seeing one again counts it."""
    scope = {"tenant_id": tenant, "connection_id": connection_id, "run_id": run_id}
    moment = now()
    if rows:
        await _upsert(tx, [_failure_row(row, moment) | scope for row in rows])
    of_artifacts = [_artifact_row(row, moment) | scope for row in rows if row.external_id]
    if of_artifacts:
        await _mark(tx, of_artifacts)


async def page(
    tx: Tx,
    tenant: TenantId,
    connection_id: ConnectionId,
    *,
    run: RunId | None,
    after: int | None,
    limit: int,
) -> list[OpenFailure]:
    """Those still open, in the order they were first seen; ``run`` saw them last."""
    query = select(failures).where(
        failures.c.tenant_id == tenant,
        failures.c.connection_id == connection_id,
        failures.c.resolved_at.is_(None),
    )
    if run is not None:
        query = query.where(failures.c.run_id == run)
    if after is not None:
        query = query.where(failures.c.id > after)
    return [_open(row) for row in await tx.execute(query.order_by(failures.c.id).limit(limit))]


async def to_retry(
    tx: Tx, connection_id: ConnectionId, run_id: RunId
) -> Mapping[str, list[Failure]]:
    """Those still open that the run has not met again itself, by partition."""
    query = (
        select(failures)
        .where(
            failures.c.connection_id == connection_id,
            failures.c.resolved_at.is_(None),
            failures.c.run_id != run_id,
        )
        .order_by(failures.c.id)
    )
    found: dict[str, list[Failure]] = {}
    for row in await tx.execute(query):
        found.setdefault(row.partition, []).append(_failure(row))
    return found


async def part_read(tx: Tx, connection_id: ConnectionId, partition: str) -> None:
    """The partition could be listed whole: what failed of it as a part is not open any more."""
    await tx.execute(
        update(failures)
        .where(
            failures.c.connection_id == connection_id,
            failures.c.partition == partition,
            failures.c.external_id == "",
            failures.c.resolved_at.is_(None),
        )
        .values(resolved_at=now())
    )


async def _upsert(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    statement = insert(tx, failures)
    new = statement.excluded
    is_open = failures.c.resolved_at.is_(None)
    told = ("title", "failure", "fingerprint", "detail", "action", "run_id", "last_seen_at")
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["connection_id", "partition", "external_id", "stage"],
            set_={name: new[name] for name in told}
            | {
                # One that came back after it was resolved is a new one.
                "attempts": case((is_open, failures.c.attempts + 1), else_=1),
                "first_seen_at": case((is_open, failures.c.first_seen_at), else_=new.last_seen_at),
                "resolved_at": None,
            },
        ),
        rows,
    )


async def _mark(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """What was searchable of an artifact stays so: stale content beats none."""
    statement = insert(tx, artifacts)
    told = ("status", "reason", "detail", "run_id", "updated_at")
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["connection_id", "external_id"],
            set_={name: statement.excluded[name] for name in told},
        ),
        rows,
    )


def _failure_row(row: Failure, moment: datetime) -> dict[str, Any]:
    return {
        "partition": row.partition,
        "external_id": row.external_id,
        "title": row.title,
        "stage": row.stage,
        "failure": row.failure,
        "fingerprint": _fingerprint(row),
        "detail": row.detail,
        "action": row.action,
        "first_seen_at": moment,
        "last_seen_at": moment,
    }


def _artifact_row(row: Failure, moment: datetime) -> dict[str, Any]:
    return {
        "partition": row.partition,
        "external_id": row.external_id,
        "status": ArtifactStatus.FAILED,
        "reason": row.failure,
        "detail": row.detail,
        "kind": "",  # unknown, if this is the first we hear of it
        "title": row.title,
        "meta": {},
        "created_at": moment,
        "updated_at": moment,
    }


def _fingerprint(row: Failure) -> str:
    """Alike failures are alike but for the artifact's name and for numbers."""
    cause = re.sub(r"\d+", "0", row.detail.replace(row.title, "") if row.title else row.detail)
    return hashlib.sha256(f"{row.stage}\x00{row.failure}\x00{cause}".encode()).hexdigest()


def _open(row: Row[Any]) -> OpenFailure:
    return OpenFailure(
        id=row.id,
        connection=ConnectionId(row.connection_id),
        run=RunId(row.run_id),
        fingerprint=row.fingerprint,
        attempts=row.attempts,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        failure=_failure(row),
    )


def _failure(row: Row[Any]) -> Failure:
    return Failure(
        partition=row.partition,
        external_id=row.external_id,
        title=row.title,
        stage=row.stage,
        failure=row.failure,
        detail=row.detail,
        action=row.action,
    )
