"""Runs that only a schedule asked for make room for what somebody waits for."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select

from storage.database import Tx
from storage.events import RunStatus
from storage.ids import Attempt, RunId
from storage.runs.leases import TO_STOP
from storage.runs.routing import LATER, SCHEDULED, free_workers, takes
from storage.runs.values import Held
from storage.tables import runs


async def yielding(
    tx: Tx, held: Sequence[Held], *, version: str
) -> Collection[tuple[RunId, Attempt]]:
    """What a worker of this version should hand over, for it and all others are full.

    As many as wait for a worker and were asked for by somebody; the youngest first.
    """
    if not held or any(each.slots > each.held for each in await free_workers(tx)):
        return ()
    urgent = (
        select(func.count())
        .select_from(runs)
        .where(
            runs.c.finished_at.is_(None),
            runs.c.status == RunStatus.QUEUED,
            runs.c.worker.is_(None),
            LATER == 0,
            ~TO_STOP,
            await takes(tx, version),
        )
    )
    waiting = await tx.scalar(urgent) or 0
    if not waiting:
        return ()
    attempts = {each.run: each.attempt for each in held}
    youngest = (
        select(runs.c.id)
        .where(runs.c.id.in_(attempts), SCHEDULED)
        .order_by(runs.c.created_at.desc())
        .limit(waiting)
    )
    return [(RunId(row.id), attempts[RunId(row.id)]) for row in await tx.execute(youngest)]
