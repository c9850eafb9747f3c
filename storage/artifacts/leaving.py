"""How artifacts leave: missed, or lost, then hidden, at last purged. Until then they can come back.

A hidden artifact keeps its chunks and is found by nobody. One that is gone and that its source
names again is there at once, and nothing is processed for it. One that access was lost to is there
again when it can be read.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, update

from storage.artifacts.reading import named
from storage.artifacts.values import ArtifactStatus, Hidden
from storage.artifacts.writing import delete as delete_at_once
from storage.artifacts.writing import failures_of, resolve
from storage.bulk import batches
from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, RunId
from storage.tables import artifacts

GONE = "gone"
"""The reason of what is hidden because its source does not have it any more."""

ACCESS_LOST = "access_lost"
"""The reason of what is hidden because it cannot be read any more."""

_ALTERNATIVES = 100  # SQLite nests each OR in the last, and at most a thousand
_GONE = and_(artifacts.c.status == ArtifactStatus.HIDDEN, artifacts.c.reason == GONE)


async def hide(tx: Tx, connection_id: ConnectionId, external_ids: Collection[str]) -> int:
    """They are gone from their source. Answers how many there were.

    What was never searchable has nothing to come back with: it is deleted at once.
    """
    moment, gone = now(), 0
    for batch in batches(external_ids):
        await resolve(tx, failures_of(connection_id, batch))
        these = and_(named(connection_id, batch), artifacts.c.status != ArtifactStatus.HIDDEN)
        hidden = await tx.execute(
            update(artifacts)
            .where(these, artifacts.c.ready_key.is_not(None))
            .values(
                status=ArtifactStatus.HIDDEN,
                reason=GONE,
                detail="It is gone from its source.",
                hidden_at=moment,
                missing_since=None,
                updated_at=moment,
            )
            .returning(artifacts.c.external_id)
        )
        kept = {row.external_id for row in hidden}
        gone += len(kept)
        gone += await delete_at_once(tx, connection_id, [key for key in batch if key not in kept])
    return gone


async def lose(
    tx: Tx,
    connection_id: ConnectionId,
    run_id: RunId,
    *,
    ids: Collection[str] = (),
    beginnings: Collection[str] = (),
    partition: str | None = None,
) -> Hidden:
    """Nobody sees these any more, by id or by how it begins, or all of a partition. They are kept.

    Those that were skipped stay what they are: nobody saw them.
    """
    hidden = Hidden(0, 0)
    if partition is not None:
        hidden += await _lose(tx, connection_id, run_id, artifacts.c.partition == partition)
    for batch in batches(ids):
        these = artifacts.c.external_id.in_(batch)
        hidden += await _lose(tx, connection_id, run_id, these)
    for batch in batches(beginnings, _ALTERNATIVES):
        name = artifacts.c.external_id
        any_of_them = or_(*(name.startswith(each, autoescape=True) for each in batch))
        hidden += await _lose(tx, connection_id, run_id, any_of_them)
    return hidden


async def miss(tx: Tx, connection_id: ConnectionId, external_ids: Collection[str]) -> None:
    """A listing lacked them, and they are kept. When it was the first time stays as it was."""
    first = artifacts.c.missing_since.is_(None)
    for batch in batches(external_ids):
        these = and_(named(connection_id, batch), first)
        await tx.execute(update(artifacts).where(these).values(missing_since=now()))


async def find_again(
    tx: Tx, connection_id: ConnectionId, partition: str, seen: Collection[str]
) -> int:
    """What a listing names is not missing, and not gone. Answers how many came back."""
    leaving = or_(artifacts.c.missing_since.is_not(None), _GONE)
    of_partition = and_(
        artifacts.c.connection_id == connection_id, artifacts.c.partition == partition, leaving
    )
    there = [key for key in await tx.scalars(_ids(of_partition)) if key in seen]
    back = 0
    for batch in batches(there):
        these = named(connection_id, batch)
        restored = await tx.execute(
            update(artifacts)
            .where(these, _GONE)
            .values(status=ArtifactStatus.READY, reason=None, detail=None)
        )
        back += restored.rowcount
        await tx.execute(update(artifacts).where(these).values(missing_since=None, hidden_at=None))
    return back


async def missed(
    tx: Tx, connection_id: ConnectionId, partition: str, *, upto: datetime
) -> list[str]:
    """Which of the partition have been missing since then, or before."""
    these = and_(
        artifacts.c.connection_id == connection_id,
        artifacts.c.partition == partition,
        artifacts.c.missing_since <= upto,
        artifacts.c.status != ArtifactStatus.HIDDEN,
    )
    return list(await tx.scalars(_ids(these)))


async def forgive(tx: Tx, connection_id: ConnectionId, partition: str) -> None:
    """The listing was wrong: nothing of the partition is missing."""
    these = and_(
        artifacts.c.connection_id == connection_id,
        artifacts.c.partition == partition,
        artifacts.c.missing_since.is_not(None),
    )
    await tx.execute(update(artifacts).where(these).values(missing_since=None))


async def purge(tx: Tx, reason: str, *, before: datetime, limit: int = 500) -> int:
    """Delete what was hidden for that reason before that moment, with all that was made of it.

    Answers how many there were.
    """
    hidden = and_(artifacts.c.status == ArtifactStatus.HIDDEN, artifacts.c.reason == reason)
    old = and_(hidden, artifacts.c.hidden_at < before)
    these = select(artifacts.c.id).where(old).order_by(artifacts.c.hidden_at).limit(limit)
    ids = list(await tx.scalars(these))
    await tx.execute(delete(artifacts).where(artifacts.c.id.in_(ids)))
    return len(ids)


async def _lose(
    tx: Tx, connection_id: ConnectionId, run_id: RunId, which: ColumnElement[bool]
) -> Hidden:
    shown = and_(
        artifacts.c.connection_id == connection_id,
        artifacts.c.status.not_in([ArtifactStatus.SKIPPED, ArtifactStatus.HIDDEN]),
        which,
    )
    query = select(artifacts.c.external_id, artifacts.c.status, artifacts.c.run_id).where(shown)
    rows = (await tx.execute(query)).all()
    moment = now()
    values: dict[str, Any] = {
        "status": ArtifactStatus.HIDDEN,
        "reason": ACCESS_LOST,
        "detail": "It was deleted for good, or is not shared any more.",
        "reading": None,
        "run_id": run_id,
        "hidden_at": moment,
        "missing_since": None,
        "updated_at": moment,
    }
    await tx.execute(update(artifacts).where(shown).values(values))
    for batch in batches([row.external_id for row in rows]):
        await resolve(tx, failures_of(connection_id, batch))
    staged = [row.status == ArtifactStatus.STAGED and row.run_id == run_id for row in rows]
    return Hidden(len(rows), sum(staged))


def _ids(where: ColumnElement[bool]) -> Select[Any]:
    return select(artifacts.c.external_id).where(where)
