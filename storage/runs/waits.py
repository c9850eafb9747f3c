"""Runs that must wait, with nobody at them: let go with a reason, and taken up when it is over.

Such a run is ``waiting`` and has no worker, so nothing about it can be lost, late or stalled. It is
claimed again when its moment has passed (see ``leases.claim``), or when somebody wakes it.
"""

from datetime import datetime

from sqlalchemy import case, select

from storage.database import Tx
from storage.events import RunStatus, WaitingReason
from storage.ids import Attempt, ConnectionId, RunId, TenantId
from storage.runs.fence import one_try_less, requeue, write
from storage.runs.leases import PARKED, TO_STOP
from storage.tables import runs


async def park(tx: Tx, run_id: RunId, attempt: Attempt, *, until: datetime | None) -> None:
    """Let go of a run that has to wait; its ``WAITING`` milestone is of the same transaction.

    Without ``until`` it waits for a ``wake``. One that came just before is missed: whoever cannot
    exclude that gives a moment at which to look again.
    """
    values = {
        "status": RunStatus.WAITING,
        "worker": None,
        "lease_until": None,
        "waits_until": until,
        "in_hand": None,
        "tries": one_try_less(),
        "wish": case((TO_STOP, runs.c.wish), else_=None),
    }
    await write(tx, run_id, attempt, values)


async def wake(
    tx: Tx,
    *,
    run: RunId | None = None,
    connection: ConnectionId | None = None,
    tenant: TenantId | None = None,
    reason: WaitingReason | None = None,
) -> list[RunId]:
    """Let runs go on that wait: all that fit what is given. Answers whose story went on.

    A budget was raised (``tenant`` and ``reason``), an account was connected again
    (``connection``), somebody says that it is mended (``run``). The caller relays them and rings
    the workers.
    """
    asked = {runs.c.id: run, runs.c.connection_id: connection, runs.c.tenant_id: tenant}
    fits = [column == value for column, value in asked.items() if value is not None]
    query = select(runs).where(PARKED, ~TO_STOP, *fits).order_by(runs.c.id).with_for_update()
    woken = []
    for row in await tx.execute(query):
        if reason is not None and (row.reason or {}).get("code") != reason:
            continue
        await requeue(tx, RunId(row.id), Attempt(row.attempt))
        woken.append(RunId(row.id))
    return woken
