"""What people do with schedules: set, look at, pause, resume, take away."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from storage.bulk import insert
from storage.clock import shared_now
from storage.connections import Connection, ids_of
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.schedules.cadence import Cadence
from storage.schedules.values import Hold, Schedule, Tick, schedule_of, tick_of
from storage.tables import schedules, ticks


async def put(
    tx: Tx, connection: Connection, cadence: Cadence, *, moment: datetime | None = None
) -> Schedule:
    """Give the connection this cadence from now on. Raises ``ScheduleInvalid``.

    The same again changes nothing; a new one leaves it paused, or held, if it was.
    """
    moment = moment or await shared_now(tx)
    cadence.check(moment)
    before = await get(tx, connection.tenant, connection.id)
    if before is not None and before.cadence == cadence:
        return before
    interval = cadence.interval
    said = {
        "cron": cadence.cron,
        "time_zone": cadence.time_zone,
        "interval_seconds": None if interval is None else int(interval.total_seconds()),
        "jitter_seconds": int(cadence.jitter.total_seconds()),
        "anchor_at": moment,
        "updated_at": moment,
        **plan(connection.id, cadence, after=moment, anchor=moment, moment=moment),
    }
    row = {
        "connection_id": connection.id,
        "tenant_id": connection.tenant,
        "paused": False,
        "created_at": moment,
        **said,
    }
    kept = await tx.execute(
        insert(tx, schedules)
        .values(row)
        .on_conflict_do_update(index_elements=["connection_id"], set_=said)
        .returning(schedules)
    )
    return schedule_of(kept.one())


def plan(
    connection: ConnectionId,
    cadence: Cadence,
    *,
    after: datetime,
    anchor: datetime,
    moment: datetime,
) -> Mapping[str, Any]:
    """The columns that say when it is due next. ``moment`` is now."""
    due = cadence.next(after, anchor=anchor)
    fire = due + cadence.delay(due, connection.bytes)
    return {"due_at": due, "fire_at": fire, "planned_at": moment}


async def get(tx: Tx, tenant: TenantId, connection: ConnectionId) -> Schedule | None:
    row = (await tx.execute(select(schedules).where(_mine(tenant, connection)))).one_or_none()
    return None if row is None else schedule_of(row)


async def of_connections(
    tx: Tx, tenant: TenantId, connections: Collection[ConnectionId]
) -> Mapping[ConnectionId, Schedule]:
    """Of those that have one."""
    query = select(schedules).where(
        schedules.c.tenant_id == tenant, schedules.c.connection_id.in_(connections)
    )
    return {ConnectionId(row.connection_id): schedule_of(row) for row in await tx.execute(query)}


async def page(
    tx: Tx,
    tenant: TenantId,
    *,
    after: ConnectionId | None,
    limit: int,
    owner: str | None = None,
) -> list[Schedule]:
    """The newest connection first; ``after`` is the last one of the page before."""
    query = select(schedules).where(schedules.c.tenant_id == tenant)
    if owner is not None:
        query = query.where(schedules.c.connection_id.in_(ids_of(tenant, owner)))
    if after is not None:
        query = query.where(schedules.c.connection_id < after)
    rows = await tx.execute(query.order_by(schedules.c.connection_id.desc()).limit(limit))
    return [schedule_of(row) for row in rows]


async def told(tx: Tx, tenant: TenantId, connection: ConnectionId, *, limit: int) -> list[Tick]:
    """The latest ticks, the newest first."""
    query = select(ticks).where(ticks.c.tenant_id == tenant, ticks.c.connection_id == connection)
    rows = await tx.execute(query.order_by(ticks.c.due_at.desc()).limit(limit))
    return [tick_of(row) for row in rows]


async def latest(
    tx: Tx, tenant: TenantId, connections: Collection[ConnectionId]
) -> Mapping[ConnectionId, Tick]:
    """The last tick of each that had one."""
    theirs = and_(ticks.c.tenant_id == tenant, ticks.c.connection_id.in_(connections))
    last = (
        select(ticks.c.connection_id, func.max(ticks.c.due_at).label("due_at"))
        .where(theirs)
        .group_by(ticks.c.connection_id)
        .subquery()
    )
    same = and_(ticks.c.connection_id == last.c.connection_id, ticks.c.due_at == last.c.due_at)
    rows = await tx.execute(select(ticks).join(last, same))
    return {ConnectionId(row.connection_id): tick_of(row) for row in rows}


async def pause(tx: Tx, tenant: TenantId, connection: ConnectionId) -> Schedule | None:
    """Come to no tick until it is resumed."""
    return await _change(tx, tenant, connection, paused=True)


async def resume(
    tx: Tx, tenant: TenantId, connection: ConnectionId, *, moment: datetime | None = None
) -> Schedule | None:
    """Go on with the next tick. Those that came meanwhile were not wanted."""
    query = select(schedules).where(_mine(tenant, connection)).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None or not row.paused:
        return None if row is None else schedule_of(row)
    moment = moment or await shared_now(tx)
    it = schedule_of(row)
    coming = plan(it.connection, it.cadence, after=moment, anchor=it.anchor_at, moment=moment)
    return await _change(tx, tenant, connection, paused=False, **coming)


async def hold(tx: Tx, tenant: TenantId, connection: ConnectionId, why: Hold) -> Schedule | None:
    """It cannot go on: its ticks wait, and become one when it can."""
    return await _change(tx, tenant, connection, held=why)


async def let_go(tx: Tx, tenant: TenantId, connection: ConnectionId, why: Hold) -> Schedule | None:
    """What held it is over. A tick that came meanwhile is come to at once."""
    held = schedules.c.held == why
    return await _change(tx, tenant, connection, where=held, held=None)


async def remove(tx: Tx, tenant: TenantId, connection: ConnectionId) -> bool:
    """Take it away, and what became of its ticks. Whether there was one."""
    await tx.execute(
        delete(ticks).where(ticks.c.tenant_id == tenant, ticks.c.connection_id == connection)
    )
    gone = await tx.execute(delete(schedules).where(_mine(tenant, connection)))
    return bool(gone.rowcount)


async def _change(
    tx: Tx,
    tenant: TenantId,
    connection: ConnectionId,
    *,
    where: ColumnElement[bool] | None = None,
    **values: Any,
) -> Schedule | None:
    fits = _mine(tenant, connection) if where is None else and_(_mine(tenant, connection), where)
    changed = await tx.execute(
        update(schedules)
        .where(fits)
        .values(updated_at=await shared_now(tx), **values)
        .returning(schedules)
    )
    row = changed.one_or_none()
    return None if row is None else schedule_of(row)


def _mine(tenant: TenantId, connection: ConnectionId) -> ColumnElement[bool]:
    return and_(schedules.c.tenant_id == tenant, schedules.c.connection_id == connection)
