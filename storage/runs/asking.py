"""Asking for a run, and looking at the runs there are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update

from storage import artifacts, milestones
from storage.bulk import insert
from storage.clock import now
from storage.connections import Connection
from storage.counts import Counts
from storage.database import Tx
from storage.errors import DatabaseUnavailable
from storage.events import Event, EventKind, RunStatus
from storage.ids import ConnectionId, RunId, TenantId, new_id
from storage.runs.values import Run, iso, run_of
from storage.tables import runs
from storage.versions import bucket


async def request(
    tx: Tx,
    tenant: TenantId,
    *,
    connection: Connection,
    workflow: str,
    input: Mapping[str, Any],  # noqa: A002  # the word the api and the row use
) -> tuple[Run, bool]:
    """The connection's unfinished run, and whether it is new: a second start attaches to it."""
    for _ in range(3):  # the one that is there may end between the two looks
        run = await _start(tx, tenant, connection, workflow, input)
        if run is not None:
            return run, True
        open_run = and_(
            runs.c.connection_id == connection.id,
            runs.c.workflow == workflow,
            runs.c.finished_at.is_(None),
        )
        there = await _one(tx, open_run)
        if there is not None:
            return await _attach(tx, there, input), False
    raise DatabaseUnavailable("Runs of this connection begin and end too fast to attach to one.")


async def ask(
    tx: Tx,
    tenant: TenantId,
    *,
    workflow: str,
    title: str,
    input: Mapping[str, Any],  # noqa: A002  # the word the api and the row use
    connection: ConnectionId | None = None,
    owner: str | None = None,
) -> Run:
    """A new run of a workflow other than an ingestion: each request is one of its own.

    A run of a ``connection`` goes when the connection goes. ``owner`` is the end user it is for.
    """
    run = await _insert(tx, tenant, connection, workflow, input, title=title, owner=owner)
    if run is None:
        raise DatabaseUnavailable("The database has a run of this id already.")
    await _queue(tx, run, searchable=0)
    return run


async def get(tx: Tx, tenant: TenantId, run_id: RunId) -> Run | None:
    return await _one(tx, and_(runs.c.tenant_id == tenant, runs.c.id == run_id))


async def find(tx: Tx, run_id: RunId) -> Run | None:
    """The run of any tenant. For workers, never for requests."""
    return await _one(tx, runs.c.id == run_id)


async def first_success(tx: Tx, connection: ConnectionId) -> datetime | None:
    """When the connection had been ingested once."""
    good = [RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_FAILURES]
    query = select(func.min(runs.c.finished_at)).where(
        runs.c.connection_id == connection, runs.c.workflow == "ingest", runs.c.status.in_(good)
    )
    first: datetime | None = await tx.scalar(query)
    return first


async def page(
    tx: Tx,
    tenant: TenantId,
    *,
    connection: ConnectionId | None = None,
    status: RunStatus | None = None,
    owner: str | None = None,
    after: RunId | None,
    limit: int,
) -> list[Run]:
    """The newest first; ``after`` is the last one of the page before."""
    query = select(runs).where(runs.c.tenant_id == tenant)
    if connection is not None:
        query = query.where(runs.c.connection_id == connection)
    if status is not None:
        query = query.where(runs.c.status == status)
    if owner is not None:
        query = query.where(runs.c.owner == owner)
    if after is not None:
        query = query.where(runs.c.id < after)
    return [run_of(row) for row in await tx.execute(query.order_by(runs.c.id.desc()).limit(limit))]


async def _attach(tx: Tx, there: Run, given: Mapping[str, Any]) -> Run:
    """Somebody waits for it now, if only a schedule has so far: it yields no longer."""
    if not there.scheduled or given:
        return there
    await tx.execute(update(runs).where(runs.c.id == there.id).values(input={}))
    return replace(there, input={})


async def _start(
    tx: Tx, tenant: TenantId, connection: Connection, workflow: str, given: Mapping[str, Any]
) -> Run | None:
    run = await _insert(
        *(tx, tenant, connection.id, workflow, given),
        title=connection.title,
        owner=connection.owner,
    )
    if run is not None:
        searchable = await artifacts.searchable(tx, connection.id)
        await _queue(tx, run, searchable=searchable)
    return run


async def _insert(
    tx: Tx,
    tenant: TenantId,
    connection: ConnectionId | None,
    workflow: str,
    given: Mapping[str, Any],
    *,
    title: str,
    owner: str | None,
) -> Run | None:
    run_id = RunId(new_id())
    row = {
        "id": run_id,
        "tenant_id": tenant,
        "connection_id": connection,
        "owner": owner,
        "workflow": workflow,
        "title": title,
        "input": dict(given),
        "status": RunStatus.QUEUED,
        "milestones": 1,
        "counts": Counts().to_json(),
        "created_at": now(),
        "bucket": bucket(run_id),
    }
    made = await tx.execute(insert(tx, runs).values(row).on_conflict_do_nothing().returning(runs))
    new = made.one_or_none()
    return None if new is None else run_of(new)


async def _queue(tx: Tx, run: Run, *, searchable: int) -> None:
    state = _state(run, searchable=searchable)
    queued = Event(kind=EventKind.QUEUED, at=run.created_at, attempt=run.attempt, patch=state)
    await milestones.add(tx, run.tenant, run.id, 1, queued)


def _state(run: Run, *, searchable: int) -> dict[str, Any]:
    """Every field that ``docs/events.md`` lists, as it is at first."""
    return {
        "id": str(run.id),
        "connection_id": None if run.connection is None else str(run.connection),
        "workflow": run.workflow,
        "title": run.title,
        "status": run.status,
        "reason": None,
        "wish": None,
        "attempt": run.attempt,
        "created_at": iso(run.created_at),
        "started_at": None,
        "first_queryable_at": None,
        "finished_at": None,
        "stages": [],
        "counts": run.counts.to_json(),
        "rate": None,
        "eta": None,
        "activity": "Waiting for a worker",
        "searchable": searchable,
        "latest": [],
        "failures": [],
        "reader": None,
    }


async def _one(tx: Tx, where: ColumnElement[bool]) -> Run | None:
    row = (await tx.execute(select(runs).where(where))).one_or_none()
    return None if row is None else run_of(row)
