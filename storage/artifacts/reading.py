"""What is there of a connection's artifacts, what comes next, and how much there is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, select

from storage.artifacts.values import (
    ArtifactRow,
    ArtifactStatus,
    Known,
    Missing,
    NewArtifact,
    Staged,
)
from storage.bulk import BATCH, batches
from storage.database import Tx
from storage.ids import ArtifactId, ConnectionId, RunId, TenantId
from storage.tables import artifacts, failures

_KNOWN = select(*(artifacts.c[each.name] for each in fields(Known)))
_MISSING = select(*(artifacts.c[each.name] for each in fields(Missing)))
_SHOWN = artifacts.c.status != ArtifactStatus.HIDDEN
_SEARCHABLE = and_(artifacts.c.ready_key.is_not(None), _SHOWN)
_STAGED = select(*(artifacts.c[each.name] for each in fields(Staged)))


async def known(
    tx: Tx, connection_id: ConnectionId, external_ids: Collection[str]
) -> Mapping[str, Known]:
    """What is there of these, by external id."""
    found: dict[str, Known] = {}
    for batch in batches(external_ids):
        rows = await tx.execute(_KNOWN.where(named(connection_id, batch)))
        found |= {row.external_id: _known(row) for row in rows}
    return found


async def described(
    tx: Tx, connection_id: ConnectionId, external_ids: Collection[str]
) -> Mapping[str, NewArtifact]:
    """What their source last said of these, by external id, as far as it has said anything."""
    found: dict[str, NewArtifact] = {}
    for batch in batches(external_ids):
        query = select(artifacts).where(named(connection_id, batch), artifacts.c.kind != "")
        found |= {row.external_id: _described(row) for row in await tx.execute(query)}
    return found


async def queue(
    tx: Tx,
    connection_id: ConnectionId,
    *,
    limit: int,
    excluding: Collection[ArtifactId] = (),
    run: RunId | None = None,
) -> list[Staged]:
    """What to process next: the most useful first, then in the order of discovery.

    With a ``run``, only of what that one has staged.
    """
    where = _waiting(connection_id)
    query = (
        _STAGED.where(where if run is None else and_(where, artifacts.c.run_id == run))
        .order_by(artifacts.c.priority, artifacts.c.id)
        .limit(limit + len(excluding))
    )
    in_hand = frozenset(excluding)
    rows = (row for row in await tx.execute(query) if row.id not in in_hand)
    return [_staged(row) for row in rows][:limit]


async def staged(tx: Tx, connection_id: ConnectionId, ids: Collection[ArtifactId]) -> list[Staged]:
    """Those of them that still wait to be processed."""
    query = _STAGED.where(_waiting(connection_id), artifacts.c.id.in_(ids))
    return [_staged(row) for row in await tx.execute(query.order_by(artifacts.c.id))]


async def backlog(tx: Tx, connection_id: ConnectionId) -> int:
    return await _count(tx, _waiting(connection_id))


async def absent(
    tx: Tx, connection_id: ConnectionId, partition: str, seen: Collection[str]
) -> list[Missing]:
    """What is kept of the partition, not hidden, and was not seen in a census of it."""
    there = seen if isinstance(seen, set | frozenset) else frozenset(seen)
    query = select(artifacts.c.external_id).where(
        artifacts.c.connection_id == connection_id,
        artifacts.c.partition == partition,
        _SHOWN,
    )
    async with tx.stream_scalars(query) as rows:
        missing = [
            each async for part in rows.partitions(BATCH) for each in part if each not in there
        ]
    found: list[Missing] = []
    for batch in batches(missing):
        these = _MISSING.where(named(connection_id, batch))
        found += [_missing(row) for row in await tx.execute(these)]
    return found


async def searchable(tx: Tx, connection_id: ConnectionId) -> int:
    """Looks at each of them: half a microsecond an artifact."""
    return await _count(tx, and_(artifacts.c.connection_id == connection_id, _SEARCHABLE))


async def searchable_of(tx: Tx, ids: Sequence[ArtifactId]) -> int:
    return sum([await _count(tx, and_(artifacts.c.id.in_(b), _SEARCHABLE)) for b in batches(ids)])


async def page(
    tx: Tx,
    tenant: TenantId,
    connection_id: ConnectionId,
    *,
    run: RunId | None,
    status: ArtifactStatus | None,
    after: ArtifactId | None,
    limit: int,
) -> list[ArtifactRow]:
    """In the order of discovery; ``after`` is the last one of the page before.

    What is hidden is only told to whoever asks for it by its status.
    """
    where = [artifacts.c.tenant_id == tenant, artifacts.c.connection_id == connection_id]
    if run is not None:
        where.append(artifacts.c.run_id == run)
    where.append(_SHOWN if status is None else artifacts.c.status == status)
    if after is not None:
        where.append(artifacts.c.id > after)
    query = select(artifacts).where(*where).order_by(artifacts.c.id).limit(limit)
    return await _shown(tx, query)


async def useful(
    tx: Tx, tenant: TenantId, connection_id: ConnectionId, *, limit: int
) -> list[ArtifactRow]:
    """Of what can be searched, what its connector holds for the most useful, the newest first."""
    query = (
        select(artifacts)
        .where(
            artifacts.c.tenant_id == tenant,
            artifacts.c.connection_id == connection_id,
            artifacts.c.status == ArtifactStatus.READY,
        )
        .order_by(
            artifacts.c.priority,
            artifacts.c.source_updated_at.desc().nulls_last(),
            artifacts.c.id.desc(),
        )
        .limit(limit)
    )
    return await _shown(tx, query)


async def get(tx: Tx, tenant: TenantId, artifact_id: ArtifactId) -> ArtifactRow | None:
    mine = artifacts.c.tenant_id == tenant
    query = select(artifacts).where(mine, artifacts.c.id == artifact_id, _SHOWN)
    rows = await _shown(tx, query)
    return rows[0] if rows else None


async def _shown(tx: Tx, query: Select[Any]) -> list[ArtifactRow]:
    rows = (await tx.execute(query)).all()
    failed = [row.id for row in rows if row.status == ArtifactStatus.FAILED]
    actions = await _actions(tx, failed) if failed else {}
    return [_shown_row(row, actions.get(row.id)) for row in rows]


async def _actions(tx: Tx, failed: Collection[ArtifactId]) -> Mapping[ArtifactId, str]:
    """What to do about each one's latest failure."""
    same = and_(
        failures.c.connection_id == artifacts.c.connection_id,
        failures.c.external_id == artifacts.c.external_id,
        failures.c.resolved_at.is_(None),
    )
    found: dict[ArtifactId, str] = {}
    for batch in batches(failed):
        query = (
            select(artifacts.c.id, failures.c.action)
            .join(failures, same)
            .where(artifacts.c.id.in_(batch))
            .order_by(failures.c.last_seen_at)
        )
        found |= {ArtifactId(row.id): row.action for row in await tx.execute(query)}
    return found


def named(connection_id: ConnectionId, external_ids: Collection[str]) -> ColumnElement[bool]:
    return and_(
        artifacts.c.connection_id == connection_id, artifacts.c.external_id.in_(external_ids)
    )


def _waiting(connection_id: ConnectionId) -> ColumnElement[bool]:
    return and_(
        artifacts.c.connection_id == connection_id, artifacts.c.status == ArtifactStatus.STAGED
    )


async def _count(tx: Tx, where: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(artifacts).where(where)
    return int((await tx.execute(query)).scalar_one())


def _known(row: Row[*tuple[Any, ...]]) -> Known:
    # By place, not by name: a run that finds nothing new does little else, for each artifact.
    number, external_id, status, reason, version, digest, ready_key, run_id = row
    return Known(
        id=number,
        external_id=external_id,
        status=ArtifactStatus(status),
        reason=reason,
        version=version,
        digest=digest,
        ready_key=ready_key,
        run_id=run_id,
    )


def _missing(row: Row[Any]) -> Missing:
    told = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for a row as a mapping
    return Missing(**{**told, "status": ArtifactStatus(row.status)})


def _described(row: Row[Any]) -> NewArtifact:
    return NewArtifact(
        partition=row.partition,
        external_id=row.external_id,
        kind=row.kind,
        title=row.title,
        path=row.path,
        url=row.url,
        mime=row.mime,
        size=row.size,
        version=row.version or "",
        digest=row.digest or "",
        priority=row.priority,
        meta=row.meta,
        created_at=row.source_created_at,
        updated_at=row.source_updated_at,
    )


def _staged(row: Row[Any]) -> Staged:
    return Staged(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for a row as a mapping


def _shown_row(row: Row[Any], action: str | None) -> ArtifactRow:
    return ArtifactRow(
        id=ArtifactId(row.id),
        connection=ConnectionId(row.connection_id),
        run=None if row.run_id is None else RunId(row.run_id),
        partition=row.partition,
        external_id=row.external_id,
        status=ArtifactStatus(row.status),
        reason=row.reason,
        detail=row.detail,
        action=action,
        kind=row.kind,
        title=row.title,
        path=row.path,
        url=row.url,
        mime=row.mime,
        size=row.size,
        version=row.version,
        digest=row.digest,
        meta=row.meta,
        reading=row.reading,
        source_created_at=row.source_created_at,
        source_updated_at=row.source_updated_at,
        ready_at=row.ready_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
