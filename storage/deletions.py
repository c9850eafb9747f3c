"""What listings lacked and was kept, until somebody says whether it is gone.

A listing that comes back empty, halved or from a cache looks like a great deletion. At most one of
these waits for a decision in each part of a connection; a later listing brings it up to date, or
shows that nothing was gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, select, update

from storage import artifacts
from storage.bulk import Insert, insert
from storage.clock import now
from storage.connections import ids_of
from storage.database import Tx
from storage.errors import DeletionDecided
from storage.ids import ConnectionId, RunId, TenantId, new_id
from storage.tables import artifacts as artifacts_table
from storage.tables import deletions

SAMPLE = 20


class Doubt(StrEnum):
    """Why it is not certain that they are gone."""

    EVERYTHING = "everything"  # the listing named nothing that is kept
    MANY = "many"
    RECENT = "recent"  # all were added lately: a listing from a cache would lack just these


class Decision(StrEnum):
    APPROVED = "approved"
    DECLINED = "declined"  # they are kept; the next listing that lacks them asks again
    SETTLED = "settled"  # a later listing named them, or made it certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """``artifacts`` of ``total`` were lacking in the partition when ``run`` listed it last."""

    id: UUID
    connection: ConnectionId
    partition: str
    run: RunId
    artifacts: int
    total: int
    reason: Doubt
    found_at: datetime
    updated_at: datetime
    decision: Decision | None
    decided_at: datetime | None


async def doubt(
    tx: Tx,
    tenant: TenantId,
    connection: ConnectionId,
    partition: str,
    *,
    run: RunId,
    missing: Sequence[str],
    total: int,
    reason: Doubt,
) -> Deletion:
    """Keep what a listing lacked, and ask. One that is asked about already is brought up to date.

    ``missing`` are external ids.
    """
    await artifacts.miss(tx, connection, missing)
    moment = now()
    said = {
        "run_id": run,
        "artifacts": len(missing),
        "total": total,
        "reason": reason,
        "updated_at": moment,
    }
    row = {
        "id": new_id(),
        "tenant_id": tenant,
        "connection_id": connection,
        "partition": partition,
        "found_at": moment,
        **said,
    }
    statement = insert(tx, deletions).values(row)
    kept = await tx.execute(_or_bring_up_to_date(statement, said).returning(deletions))
    return _deletion(kept.one())


async def settle(tx: Tx, connection: ConnectionId, partition: str) -> None:
    """Nothing of the partition is in doubt any more."""
    still_open = and_(
        deletions.c.connection_id == connection,
        deletions.c.partition == partition,
        deletions.c.decision.is_(None),
    )
    decided = {"decision": Decision.SETTLED, "decided_at": now()}
    await tx.execute(update(deletions).where(still_open).values(decided))


async def approve(tx: Tx, tenant: TenantId, deletion_id: UUID) -> tuple[Deletion, int] | None:
    """They are gone. Answers how many went: what a listing has named since is kept.

    Raises ``DeletionDecided``. Doing it again changes nothing.
    """
    before = await _locked(tx, tenant, deletion_id, Decision.APPROVED)
    if before is None or before.decision is not None:
        return None if before is None else (before, 0)
    missed = await artifacts.missed(tx, before.connection, before.partition, upto=now())
    gone = await artifacts.hide(tx, before.connection, missed)
    return await _decide(tx, before, Decision.APPROVED), gone


async def decline(tx: Tx, tenant: TenantId, deletion_id: UUID) -> Deletion | None:
    """They are kept; the next listing that lacks them asks again. Raises ``DeletionDecided``."""
    before = await _locked(tx, tenant, deletion_id, Decision.DECLINED)
    if before is None or before.decision is not None:
        return before
    await artifacts.forgive(tx, before.connection, before.partition)
    return await _decide(tx, before, Decision.DECLINED)


async def get(tx: Tx, tenant: TenantId, deletion_id: UUID) -> Deletion | None:
    row = (await tx.execute(select(deletions).where(_mine(tenant, deletion_id)))).one_or_none()
    return None if row is None else _deletion(row)


async def page(
    tx: Tx,
    tenant: TenantId,
    *,
    connection: ConnectionId | None,
    undecided: bool,
    after: UUID | None,
    limit: int,
    owner: str | None = None,
) -> list[Deletion]:
    """The newest first; ``after`` is the last one of the page before."""
    query = select(deletions).where(deletions.c.tenant_id == tenant)
    if owner is not None:
        query = query.where(deletions.c.connection_id.in_(ids_of(tenant, owner)))
    if connection is not None:
        query = query.where(deletions.c.connection_id == connection)
    if undecided:
        query = query.where(deletions.c.decision.is_(None))
    if after is not None:
        query = query.where(deletions.c.id < after)
    rows = await tx.execute(query.order_by(deletions.c.id.desc()).limit(limit))
    return [_deletion(row) for row in rows]


async def sample(tx: Tx, deletion: Deletion) -> list[str]:
    """What some of them are called, while it waits for a decision."""
    if deletion.decision is not None:
        return []
    name = func.coalesce(artifacts_table.c.path, artifacts_table.c.title)
    query = select(name).where(
        artifacts_table.c.connection_id == deletion.connection,
        artifacts_table.c.partition == deletion.partition,
        artifacts_table.c.missing_since.is_not(None),
    )
    return list(await tx.scalars(query.order_by(artifacts_table.c.id).limit(SAMPLE)))


def _or_bring_up_to_date(statement: Insert, said: Mapping[str, Any]) -> Insert:
    return statement.on_conflict_do_update(
        index_elements=["connection_id", "partition"],
        index_where=deletions.c.decision.is_(None),
        set_=said,
    )


async def _locked(tx: Tx, tenant: TenantId, deletion_id: UUID, wanted: Decision) -> Deletion | None:
    query = select(deletions).where(_mine(tenant, deletion_id)).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    it = _deletion(row)
    if it.decision not in {None, wanted}:
        raise DeletionDecided(f"It is decided already: {it.decision}.")
    return it


async def _decide(tx: Tx, before: Deletion, decision: Decision) -> Deletion:
    decided = await tx.execute(
        update(deletions)
        .where(deletions.c.id == before.id)
        .values(decision=decision, decided_at=now())
        .returning(deletions)
    )
    return _deletion(decided.one())


def _mine(tenant: TenantId, deletion_id: UUID) -> ColumnElement[bool]:
    return and_(deletions.c.tenant_id == tenant, deletions.c.id == deletion_id)


def _deletion(row: Row[Any]) -> Deletion:
    return Deletion(
        id=row.id,
        connection=ConnectionId(row.connection_id),
        partition=row.partition,
        run=RunId(row.run_id),
        artifacts=row.artifacts,
        total=row.total,
        reason=Doubt(row.reason),
        found_at=row.found_at,
        updated_at=row.updated_at,
        decision=None if row.decision is None else Decision(row.decision),
        decided_at=row.decided_at,
    )
