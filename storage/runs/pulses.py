"""How the attempts fare, for whoever watches over them; and what can be done about one that hangs.

A run that waits is alive by definition; one that beats and gets nowhere is told, asked to let go,
and at last taken away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select, update

from storage.clock import now, shared_now
from storage.database import Tx
from storage.events import Event, EventKind, RunStatus
from storage.ids import Attempt, RunId, TenantId
from storage.runs.fence import owned, record
from storage.runs.values import Wish, wish_of
from storage.tables import runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    run: RunId
    tenant: TenantId
    attempt: Attempt
    worker: str
    version: str | None
    status: RunStatus
    wish: Wish | None
    claimed_at: datetime | None
    beat_at: datetime | None
    lag_ms: int | None
    progress: str | None
    progressed_at: datetime | None
    hold_seconds: int
    stalled_at: datetime | None
    deaths: int
    revoked: bool


async def pulses(tx: Tx) -> list[Pulse]:
    """Of every run that somebody holds, in the time of ``clock.shared_now``."""
    held = and_(runs.c.finished_at.is_(None), runs.c.worker.is_not(None))
    return [_pulse(row) for row in await tx.execute(select(runs).where(held))]


async def stall(tx: Tx, seen: Pulse, *, data: Mapping[str, Any], activity: str) -> bool:
    """Tell that it stands still. False if that was told before, or is not so any more."""
    untold = runs.c.stalled_at.is_(None)
    if not await _mark(tx, seen, untold, {"stalled_at": await shared_now(tx)}):
        return False
    patch = {"activity": activity, "rate": None, "eta": None}
    event = Event(kind=EventKind.STALLED, at=now(), attempt=seen.attempt, data=data, patch=patch)
    await record(tx, seen.run, event)
    return True


async def restart(tx: Tx, seen: Pulse) -> bool:
    """Ask its worker to let go of it. False if something is wished already, or it moved."""
    return await _mark(tx, seen, runs.c.wish.is_(None), {"wish": Wish.RESTART})


async def revoke(tx: Tx, seen: Pulse) -> bool:
    """Take the lease away for good: no late beat brings it back, and the next claim fences it."""
    return await _mark(tx, seen, runs.c.lease_until.is_not(None), {"lease_until": None})


async def _mark(tx: Tx, seen: Pulse, where: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
    """Write only if it stands where it was seen standing."""
    stands = and_(
        owned(seen.run, seen.attempt),
        runs.c.worker == seen.worker,
        runs.c.status == seen.status,
        runs.c.progressed_at.is_not_distinct_from(seen.progressed_at),
    )
    marked = update(runs).where(stands, where).values(dict(values)).returning(runs.c.id)
    return (await tx.execute(marked)).one_or_none() is not None


def _pulse(row: Row[Any]) -> Pulse:
    return Pulse(
        run=RunId(row.id),
        tenant=TenantId(row.tenant_id),
        attempt=Attempt(row.attempt),
        worker=row.worker,
        version=row.version,
        status=RunStatus(row.status),
        wish=wish_of(row.wish),
        claimed_at=row.claimed_at,
        beat_at=row.beat_at,
        lag_ms=row.lag_ms,
        progress=row.progress,
        progressed_at=row.progressed_at,
        hold_seconds=row.hold_seconds,
        stalled_at=row.stalled_at,
        deaths=row.deaths,
        revoked=row.lease_until is None,
    )
