"""Coming to ticks: each once, whoever looks and however often.

What a tick does (its row, the run it starts, when the next one is due) is one transaction by which
the schedule's row is locked. A scheduler that dies before the commit has done nothing.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from storage import connections, credentials, runs
from storage.bulk import insert
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.runs import BY_SCHEDULE
from storage.schedules.keeping import plan
from storage.schedules.values import Hold, Outcome, Schedule, Tick, schedule_of, tick_of
from storage.tables import schedules, ticks

KEPT = timedelta(days=30)
"""How long it is told what became of a tick."""

SET_BACK = timedelta(minutes=1)
"""A plan that was made so much later than now was made by a clock that was wrong."""

Scheduled = tuple[TenantId, ConnectionId]

_GOES = and_(schedules.c.paused.is_(False), schedules.c.held.is_(None))


async def due(tx: Tx, *, moment: datetime, limit: int = 100) -> list[Scheduled]:
    """The connections whose schedules have something to do, the longest due first."""
    query = select(schedules.c.tenant_id, schedules.c.connection_id)
    theirs = query.where(_GOES, or_(_due(moment), _ahead(moment)))
    rows = await tx.execute(theirs.order_by(schedules.c.fire_at).limit(limit))
    return [(TenantId(row.tenant_id), ConnectionId(row.connection_id)) for row in rows]


async def fire(tx: Tx, which: Scheduled, *, moment: datetime) -> Tick | None:
    """Let the connection's schedule come to its tick, if it is due: one for all that were missed.

    None if another scheduler was faster; if the account has to be connected again, by which the
    schedule is held; or if it was only planned again, for its clock was set back.
    """
    # The credential first, as whoever gives another one does, and lets the schedule go then.
    tenant, connection = which
    opens = await credentials.hold(tx, tenant, connection)
    query = select(schedules).where(
        schedules.c.connection_id == connection, _GOES, or_(_due(moment), _ahead(moment))
    )
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        return None
    schedule = schedule_of(row)
    if schedule.fire_at > moment:
        await _advance(tx, schedule, after=moment, moment=moment)
        return None
    if opens is not None and opens.dead:
        same = schedules.c.connection_id == connection
        held = {"held": Hold.REAUTHORIZATION, "updated_at": moment}
        await tx.execute(update(schedules).where(same).values(held))
        return None
    await _forget(tx, connection, moment)
    return await _come_to(tx, schedule, moment)


async def _come_to(tx: Tx, schedule: Schedule, moment: datetime) -> Tick | None:
    cadence, anchor = schedule.cadence, schedule.anchor_at
    due, missed = cadence.latest(schedule.due_at, moment, anchor=anchor)
    await _advance(tx, schedule, after=due, moment=moment)
    there = select(ticks.c.id).where(
        ticks.c.connection_id == schedule.connection, ticks.c.due_at == due
    )
    if (await tx.execute(there)).first() is not None:
        return None
    connection = await connections.get(tx, schedule.tenant, schedule.connection)
    if connection is None:
        return None
    run, created = await runs.request(
        tx, schedule.tenant, connection=connection, workflow="ingest", input=BY_SCHEDULE
    )
    row = {
        "tenant_id": schedule.tenant,
        "connection_id": schedule.connection,
        "due_at": due,
        "fired_at": moment,
        "outcome": Outcome.STARTED if created else Outcome.SKIPPED,
        "run_id": run.id,
        "missed": missed,
    }
    kept = await tx.execute(insert(tx, ticks).values(row).returning(ticks))
    return tick_of(kept.one())


async def _advance(tx: Tx, schedule: Schedule, *, after: datetime, moment: datetime) -> None:
    coming = plan(
        schedule.connection,
        schedule.cadence,
        after=after,
        anchor=schedule.anchor_at,
        moment=moment,
    )
    same = schedules.c.connection_id == schedule.connection
    await tx.execute(update(schedules).where(same).values(coming))


async def _forget(tx: Tx, connection: ConnectionId, moment: datetime) -> None:
    old = and_(ticks.c.connection_id == connection, ticks.c.due_at < moment - KEPT)
    await tx.execute(delete(ticks).where(old))


def _due(moment: datetime) -> ColumnElement[bool]:
    return schedules.c.fire_at <= moment


def _ahead(moment: datetime) -> ColumnElement[bool]:
    return schedules.c.planned_at > moment + SET_BACK
