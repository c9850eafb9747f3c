"""What becomes of artifacts: staged, ready, skipped, deleted. Every write can be repeated."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, select, tuple_, update
from sqlalchemy import delete as delete_from

from storage.artifacts.reading import named, searchable_of
from storage.artifacts.values import ArtifactStatus, NewArtifact, NewSkip, Ready
from storage.bulk import batches, insert
from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, RunId, TenantId
from storage.tables import artifacts, chunks, failures

TOLD = frozenset({"kind", "title", "path", "url", "mime", "size", "meta", "source_created_at"})
"""What an artifact's content may have told of it, and a listing does not know."""

# What a row keeps when its artifact is seen again: who it is, and what is still searchable of it.
_IDENTITY = frozenset({"tenant_id", "connection_id", "external_id", "created_at"})

_THERE: Mapping[str, Any] = {"missing_since": None, "hidden_at": None}
"""What is true of an artifact that its source has just named."""

_NOT_SAID = frozenset(
    {*_THERE, "partition", "external_id", "reason", "detail", "version", "digest"}
)


async def stage(
    tx: Tx,
    tenant: TenantId,
    connection_id: ConnectionId,
    run_id: RunId,
    rows: Sequence[NewArtifact],
    *,
    kept: Collection[str] = (),
) -> None:
    """Put fetched artifacts into the queue, the ones that are known under their old id.

    Of those that are known, the columns in ``kept`` stay as they are.
    """
    common = _common(tenant, connection_id, run_id, ArtifactStatus.STAGED)
    await _upsert(tx, [_staged_row(row) | common for row in rows], kept=kept)


async def describe(tx: Tx, connection_id: ConnectionId, rows: Sequence[NewArtifact]) -> None:
    """Keep what is said of them, but for the content that could not be had, and its version."""
    if not rows:
        return
    same = and_(
        artifacts.c.connection_id == connection_id, artifacts.c.external_id == bindparam("its_id")
    )
    said = [_staged_row(row) for row in rows]
    names = said[0].keys() - _NOT_SAID
    values = {name: bindparam(f"its_{name}", type_=artifacts.c[name].type) for name in names}
    await tx.execute(
        update(artifacts).where(same).values(values),
        [
            {"its_id": row["external_id"]} | {f"its_{name}": row[name] for name in names}
            for row in said
        ],
    )


async def touch(tx: Tx, connection_id: ConnectionId, rows: Sequence[tuple[str, str]]) -> None:
    """The source calls it (external id) a new version (the second), but the content is the same."""
    if not rows:
        return
    same = and_(
        artifacts.c.connection_id == connection_id, artifacts.c.external_id == bindparam("its_id")
    )
    await tx.execute(
        update(artifacts).where(same).values(version=bindparam("its_version"), updated_at=now()),
        [{"its_id": external_id, "its_version": version} for external_id, version in rows],
    )


async def skip(
    tx: Tx, tenant: TenantId, connection_id: ConnectionId, run_id: RunId, rows: Sequence[NewSkip]
) -> None:
    """They are there and will not be ingested. What was searchable of them is not any more."""
    common = _common(tenant, connection_id, run_id, ArtifactStatus.SKIPPED)
    # A skip does not tell its kind: what was known of it stays.
    await _upsert(tx, [_skipped_row(row) | common for row in rows], kept=("kind", "meta"))
    for batch in batches([row.external_id for row in rows]):
        these = select(artifacts.c.id).where(named(connection_id, batch))
        await tx.execute(delete_from(chunks).where(chunks.c.artifact_id.in_(these)))
        await resolve(tx, failures_of(connection_id, batch))


async def ready(tx: Tx, run_id: RunId, rows: Sequence[Ready]) -> int:
    """They can be searched now. One whose content has changed meanwhile stays in the queue.

    Answers how many could not be searched before.
    """
    if not rows:
        return 0
    ids = [row.id for row in rows]
    before = await searchable_of(tx, ids)
    same = and_(
        artifacts.c.id == bindparam("its_id"), artifacts.c.digest == bindparam("its_digest")
    )
    moment = now()
    values: dict[str, Any] = {
        "status": ArtifactStatus.READY,
        "reason": None,
        "detail": None,
        "ready_key": bindparam("its_key"),
        "title": bindparam("its_title"),
        "reading": bindparam("its_reading"),
        "run_id": run_id,
        "ready_at": moment,
        "updated_at": moment,
    }
    await tx.execute(update(artifacts).where(same).values(values), [_ready_row(r) for r in rows])
    for batch in batches(ids):
        these = select(artifacts.c.connection_id, artifacts.c.external_id).where(
            artifacts.c.id.in_(batch), artifacts.c.status == ArtifactStatus.READY
        )
        await resolve(tx, tuple_(failures.c.connection_id, failures.c.external_id).in_(these))
    return await searchable_of(tx, ids) - before


async def delete(tx: Tx, connection_id: ConnectionId, external_ids: Collection[str]) -> int:
    """Remove them with all that was made of them. Answers how many there were."""
    deleted = 0
    for batch in batches(external_ids):
        await resolve(tx, failures_of(connection_id, batch))
        gone = await tx.execute(delete_from(artifacts).where(named(connection_id, batch)))
        deleted += gone.rowcount
    return deleted


async def _upsert(tx: Tx, rows: Sequence[Mapping[str, Any]], *, kept: Collection[str] = ()) -> None:
    if not rows:
        return
    statement = insert(tx, artifacts)
    changed = rows[0].keys() - _IDENTITY - set(kept)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["connection_id", "external_id"],
            set_={name: statement.excluded[name] for name in sorted(changed)},
        ),
        rows,
    )


async def resolve(tx: Tx, which: ColumnElement[bool]) -> None:
    still_open = failures.c.resolved_at.is_(None)
    await tx.execute(update(failures).where(still_open, which).values(resolved_at=now()))


def failures_of(connection_id: ConnectionId, external_ids: Collection[str]) -> ColumnElement[bool]:
    return and_(failures.c.connection_id == connection_id, failures.c.external_id.in_(external_ids))


def _common(
    tenant: TenantId, connection_id: ConnectionId, run_id: RunId, status: ArtifactStatus
) -> dict[str, Any]:
    moment = now()
    return {
        "tenant_id": tenant,
        "connection_id": connection_id,
        "run_id": run_id,
        "status": status,
        "created_at": moment,
        "updated_at": moment,
    }


def _staged_row(new: NewArtifact) -> dict[str, Any]:
    return {
        "partition": new.partition,
        "external_id": new.external_id,
        "reason": None,
        "detail": None,
        "kind": new.kind,
        "title": new.title,
        "path": new.path,
        "url": new.url,
        "mime": new.mime,
        "size": new.size,
        "version": new.version,
        "digest": new.digest,
        "priority": new.priority,
        "meta": dict(new.meta),
        "source_created_at": new.created_at,
        "source_updated_at": new.updated_at,
        **_THERE,
    }


def _skipped_row(new: NewSkip) -> dict[str, Any]:
    return {
        "partition": new.partition,
        "external_id": new.external_id,
        "reason": new.reason,
        "detail": new.detail,
        "kind": "",
        "title": new.title,
        "size": new.size,
        "version": None,
        "digest": None,
        "ready_key": None,
        "meta": {},
        "reading": None,
        "ready_at": None,
        **_THERE,
    }


def _ready_row(row: Ready) -> dict[str, Any]:
    return {
        "its_id": row.id,
        "its_digest": row.digest,
        "its_key": row.ready_key,
        "its_title": row.title,
        "its_reading": dict(row.reading),
    }
