"""From hints to runs: one a connection for all that came, and never two at once.

What is done about a connection's hints is one transaction by which its row is locked, as schedules
come to their ticks: whoever dies before the commit has done nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from storage import connections, credentials, partitions, runs, schedules
from storage.database import Tx
from storage.ids import ConnectionId, RunId, TenantId
from storage.runs import BY_HINT
from storage.tables import connections as connections_table
from storage.tables import hints
from storage.tables import runs as runs_table

SETTLE = timedelta(seconds=2)
"""How long hints are gathered before they are looked at: what changes, changes several things."""

APART = timedelta(seconds=30)
"""How far apart the runs of a connection are that hints led to, in a storm of them."""

BUSY = timedelta(seconds=2)
HELD = timedelta(minutes=1)

Pending = tuple[TenantId, ConnectionId, str]


async def due(tx: Tx, *, moment: datetime, limit: int = 100) -> list[Pending]:
    """The connections whose hints are to be looked at, with their kinds; longest due first."""
    query = (
        select(hints.c.tenant_id, hints.c.connection_id, connections_table.c.kind)
        .join(connections_table, connections_table.c.id == hints.c.connection_id)
        .where(hints.c.due_at <= moment)
        .order_by(hints.c.due_at)
        .limit(limit)
    )
    return [
        (TenantId(row.tenant_id), ConnectionId(row.connection_id), row.kind)
        for row in await tx.execute(query)
    ]


async def lead(
    tx: Tx,
    tenant: TenantId,
    connection: ConnectionId,
    *,
    moment: datetime,
    place: str | None = None,
) -> RunId | None:
    """Start the run that the connection's hints are about. None if there is none to start.

    While a run is at it, they wait for its end; while its account is lost or its schedule paused,
    for that. Where nothing was ingested yet, nobody waits for changes. ``place`` is the field of
    the kind's cursor that says how far it was read: what was read already leads to nothing.
    """
    # The credential first, in the order of all who lock it.
    opens = await credentials.hold(tx, tenant, connection)
    query = select(hints).where(hints.c.connection_id == connection, hints.c.due_at <= moment)
    row = (await tx.execute(query.with_for_update())).one_or_none()
    there = await connections.get(tx, tenant, connection)
    if row is None or there is None:
        return None
    later = await _later(tx, row, moment, dead=opens is not None and opens.dead is not None)
    if later is not None:
        await _change(tx, connection, due_at=later)
        return None
    fresh = await _is_ingested(tx, connection) and not await _is_known(tx, row, place)
    if not fresh:
        await _change(tx, connection, due_at=None, pending=0)
        return None
    run, created = await runs.request(
        tx, tenant, connection=there, workflow="ingest", input=BY_HINT
    )
    if run.only_failed:  # it looks for nothing new
        await _change(tx, connection, due_at=moment + BUSY)
        return None
    led = {"led_at": moment, "run_id": run.id}
    await _change(tx, connection, due_at=None, pending=0, **led)
    return run.id if created else None


async def _later(tx: Tx, row: Row[Any], moment: datetime, *, dead: bool) -> datetime | None:
    """When to look again, if nothing may be started now."""
    schedule = await schedules.get(tx, row.tenant_id, row.connection_id)
    if dead or (schedule is not None and schedule.paused):
        return moment + HELD
    begun = select(runs_table.c.id).where(
        runs_table.c.connection_id == row.connection_id,
        runs_table.c.workflow == "ingest",
        runs_table.c.finished_at.is_(None),
        runs_table.c.started_at.is_not(None),
    )
    if (await tx.execute(begun)).first() is not None:
        return moment + BUSY
    if row.led_at is not None and moment < row.led_at + APART:
        led_at: datetime = row.led_at
        return led_at + APART
    return None


async def _is_ingested(tx: Tx, connection: ConnectionId) -> bool:
    return await runs.first_success(tx, connection) is not None


async def _is_known(tx: Tx, row: Row[Any], place: str | None) -> bool:
    """Whether all of it was read up to where the hints said that the source has come."""
    if row.position is None or place is None:
        return False
    saved = await partitions.load(tx, ConnectionId(row.connection_id))
    places = [str((each.cursor or {}).get(place, "")) for each in saved.values() if each.done]
    known = [int(each) >= row.position for each in places if each.isdecimal()]
    return bool(saved) and len(known) == len(saved) and all(known)


async def _change(tx: Tx, connection: ConnectionId, **values: Any) -> None:
    await tx.execute(update(hints).where(hints.c.connection_id == connection).values(**values))
