"""When connections are ingested by themselves."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from fastapi import APIRouter, Response

from api.needs import needs
from api.once import Answer, Once, Repeatable
from api.pagination import Paged
from api.problems import Code, Problem
from api.routes.connections import found
from api.scheduling import ScheduleHistory, ScheduleRequest, ScheduleView
from api.schemas import Page
from api.services import Asking, Handed, Tenant
from api.timetable import cadence, shown, with_history
from storage import schedules
from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.schedules import Schedule
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["schedules"])
log = structlog.get_logger()
RECENT = 20

Ask = Callable[[Tx, TenantId, ConnectionId], Awaitable[Schedule | None]]


@router.get(
    "/schedules",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    operation_id="list_schedules",
    summary="What is ingested by itself",
)
async def page(services: Handed, asking: Asking, paging: Paged) -> Page[ScheduleView]:
    """The newest connection first."""
    tenant, owner = asking.tenant, asking.owner
    listing = f"schedules:{tenant}:{owner}"
    async with services.database.reading() as tx:
        rows = await schedules.page(
            tx, tenant, after=paging.after(listing, ConnectionId), limit=paging.more, owner=owner
        )
        last = await schedules.latest(tx, tenant, [row.connection for row in rows])
    some, following = paging.cut(listing, rows, lambda row: row.connection)
    items = [shown(row, last.get(row.connection)) for row in some]
    return Page(items=items, next_cursor=following)


@router.get(
    "/connections/{connection_id}/schedule",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    operation_id="get_schedule",
    summary="When a connection is ingested by itself, and what became of its latest ticks",
)
async def one(connection_id: UUID, services: Handed, tenant: Tenant) -> ScheduleHistory:
    async with services.database.reading() as tx:
        schedule = await schedules.get(tx, tenant, ConnectionId(connection_id))
        if schedule is None:
            raise _none(connection_id)
        ticks = await schedules.told(tx, tenant, schedule.connection, limit=RECENT)
    return with_history(schedule, ticks)


@router.put(
    "/connections/{connection_id}/schedule",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="put_schedule",
    summary="Ingest a connection by itself from now on",
)
async def put(
    connection_id: UUID, wanted: ScheduleRequest, services: Handed, tenant: Tenant
) -> ScheduleView:
    """A tick while a run is at the connection is skipped. What nobody was there for becomes one."""
    async with services.database.transaction() as tx:
        connection = await found(tx, tenant, connection_id)
        schedule = await schedules.put(tx, connection, cadence(wanted))
        last = await schedules.latest(tx, tenant, [connection.id])
    log.info("schedule.put", connection=str(connection_id), next_at=str(schedule.next_at))
    return shown(schedule, last.get(schedule.connection))


@router.delete(
    "/connections/{connection_id}/schedule",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="delete_schedule",
    summary="Ingest a connection only when it is asked for",
    status_code=204,
)
async def delete(connection_id: UUID, services: Handed, tenant: Tenant) -> None:
    """A run that goes on is not stopped by it. Doing it again changes nothing."""
    async with services.database.transaction() as tx:
        connection = await found(tx, tenant, connection_id)
        await schedules.remove(tx, tenant, connection.id)


@router.post(
    "/connections/{connection_id}/schedule/pause",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="pause_schedule",
    summary="Come to no tick until it is resumed",
    response_model=ScheduleView,
)
async def pause(connection_id: UUID, once: Repeatable) -> Response:
    """A run that goes on is not paused by it."""
    return await _ask(schedules.pause, connection_id, once)


@router.post(
    "/connections/{connection_id}/schedule/resume",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="resume_schedule",
    summary="Go on with the next tick",
    response_model=ScheduleView,
)
async def resume(connection_id: UUID, once: Repeatable) -> Response:
    """Ticks that came while it was paused were not wanted, and are not made up for."""
    return await _ask(schedules.resume, connection_id, once)


async def _ask(ask: Ask, connection_id: UUID, once: Once) -> Response:
    async def work(tx: Tx) -> Answer:
        schedule = await ask(tx, once.tenant, ConnectionId(connection_id))
        if schedule is None:
            raise _none(connection_id)
        last = await schedules.latest(tx, once.tenant, [schedule.connection])
        view = shown(schedule, last.get(schedule.connection))
        return Answer(200, {}, view.model_dump(mode="json"))

    return await once.do(work)


def _none(connection_id: UUID) -> Problem:
    return Problem(
        Code.NOT_FOUND,
        f"The connection {connection_id} has no schedule.",
        action="PUT one there, or check the connection's id.",
    )
