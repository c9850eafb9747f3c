"""The runs: what was asked for, who is at it, and how far it has come.

An attempt's number is the fencing token: every write names it, and a stale one is refused with the
rest of its transaction. A run is held by the worker that claimed it for as long as its lease is
renewed; whoever claims it after that gets the next number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, literal, or_, select, update

from storage import artifacts, milestones
from storage.bulk import insert
from storage.clock import now, shared_now
from storage.connections import Connection
from storage.counts import Counts
from storage.database import Tx
from storage.errors import AttemptFenced, DatabaseUnavailable, Refused, RunEnded
from storage.events import STATUS_AFTER, TERMINAL, Event, EventKind, RunStatus
from storage.ids import Attempt, ConnectionId, RunId, Seq, TenantId, new_id
from storage.tables import runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    id: RunId
    tenant: TenantId
    connection: ConnectionId | None
    workflow: str
    input: Mapping[str, Any]
    status: RunStatus
    reason: Mapping[str, Any] | None
    attempt: Attempt
    worker: str | None
    milestones: int
    seq: Seq
    counts: Counts
    created_at: datetime
    started_at: datetime | None
    first_queryable_at: datetime | None
    finished_at: datetime | None


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
        open_run = and_(runs.c.connection_id == connection.id, runs.c.finished_at.is_(None))
        row = (await tx.execute(select(runs).where(open_run))).one_or_none()
        if row is not None:
            return _run(row), False
    raise DatabaseUnavailable("Runs of this connection begin and end too fast to attach to one.")


async def get(tx: Tx, tenant: TenantId, run_id: RunId) -> Run | None:
    return await _one(tx, and_(runs.c.tenant_id == tenant, runs.c.id == run_id))


async def find(tx: Tx, run_id: RunId) -> Run | None:
    """The run of any tenant. For workers, never for requests."""
    return await _one(tx, runs.c.id == run_id)


async def page(
    tx: Tx,
    tenant: TenantId,
    *,
    connection: ConnectionId | None = None,
    status: RunStatus | None = None,
    after: RunId | None,
    limit: int,
) -> list[Run]:
    """The newest first; ``after`` is the last one of the page before."""
    query = select(runs).where(runs.c.tenant_id == tenant)
    if connection is not None:
        query = query.where(runs.c.connection_id == connection)
    if status is not None:
        query = query.where(runs.c.status == status)
    if after is not None:
        query = query.where(runs.c.id < after)
    return [_run(row) for row in await tx.execute(query.order_by(runs.c.id.desc()).limit(limit))]


async def claim(tx: Tx, *, worker: str, lease: timedelta, limit: int) -> list[Run]:
    """Take what waits for a worker, and what a worker has let go without a word: oldest first."""
    moment = await shared_now(tx)
    waits = and_(runs.c.status == RunStatus.QUEUED, runs.c.worker.is_(None))
    query = (
        select(runs)
        .where(runs.c.finished_at.is_(None), or_(waits, runs.c.lease_until < moment))
        .order_by(runs.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await tx.execute(query)).all()
    return [await _take(tx, row, worker=worker, lease_until=moment + lease) for row in rows]


async def renew(tx: Tx, *, worker: str, lease: timedelta) -> list[tuple[RunId, Attempt]]:
    """Hold on to all that the worker holds. What is not in the answer is not its any more."""
    held = and_(runs.c.worker == worker, runs.c.finished_at.is_(None))
    lease_until = await shared_now(tx) + lease
    renewed = await tx.execute(
        update(runs)
        .where(held)
        .values(lease_until=lease_until)
        .returning(runs.c.id, runs.c.attempt)
    )
    return [(RunId(row.id), Attempt(row.attempt)) for row in renewed]


async def adopt(tx: Tx, run_id: RunId, attempt: Attempt, *, worker: str) -> Run:
    """The flow says that it is the one at it, wherever it was placed."""
    return await _write(tx, run_id, attempt, {"worker": worker})


async def save(tx: Tx, run_id: RunId, attempt: Attempt, *, counts: Counts, seq: Seq) -> None:
    """Keep the counts with what they count. In every transaction of an attempt: it is the fence."""
    highest = case((runs.c.seq < seq, seq), else_=runs.c.seq)
    await _write(tx, run_id, attempt, {"counts": counts.to_json(), "seq": highest})


async def release(tx: Tx, run_id: RunId, attempt: Attempt) -> None:
    """Give the run back to the queue, to be claimed at once. Its milestone is recorded before."""
    await _write(
        tx, run_id, attempt, {"status": RunStatus.QUEUED, "worker": None, "lease_until": None}
    )


async def record(tx: Tx, run_id: RunId, event: Event) -> int:
    """Append a milestone and let it change the run. Answers its number.

    The patch is kept complete: whatever the writer put there, the fields of the run's row are told
    as the row has them, so that folding the milestones gives the row.
    """
    written = await _write(tx, run_id, event.attempt, _effect(event))
    whole = replace(event, patch={**event.patch, **_told(written, event)})
    await milestones.add(tx, written.tenant, run_id, written.milestones, whole)
    return written.milestones


def _effect(event: Event) -> dict[str, Any]:
    values: dict[str, Any] = {"milestones": runs.c.milestones + 1}
    if event.kind in STATUS_AFTER:
        # Only a run that waits or has failed has a reason, and its event says it.
        values |= {"status": STATUS_AFTER[event.kind], "reason": event.patch.get("reason")}
    if event.kind is EventKind.STARTED:
        values["started_at"] = _first(runs.c.started_at, event.at)
    if event.kind is EventKind.QUERYABLE:
        values["first_queryable_at"] = _first(runs.c.first_queryable_at, event.at)
    if event.kind in TERMINAL:
        values |= {"finished_at": event.at, "worker": None, "lease_until": None}
    return values


def _first(column: ColumnElement[Any], moment: datetime) -> ColumnElement[Any]:
    return func.coalesce(column, literal(moment, column.type))


def _told(run: Run, event: Event) -> dict[str, Any]:
    if event.kind not in STATUS_AFTER and event.kind is not EventKind.QUERYABLE:
        return {}
    return {
        "status": run.status,
        "reason": run.reason,
        "attempt": run.attempt,
        "started_at": _iso(run.started_at),
        "first_queryable_at": _iso(run.first_queryable_at),
        "finished_at": _iso(run.finished_at),
    }


async def _start(
    tx: Tx, tenant: TenantId, connection: Connection, workflow: str, given: Mapping[str, Any]
) -> Run | None:
    moment = now()
    row = {
        "id": new_id(),
        "tenant_id": tenant,
        "connection_id": connection.id,
        "workflow": workflow,
        "input": dict(given),
        "status": RunStatus.QUEUED,
        "milestones": 1,
        "counts": Counts().to_json(),
        "created_at": moment,
    }
    made = await tx.execute(insert(tx, runs).values(row).on_conflict_do_nothing().returning(runs))
    new = made.one_or_none()
    if new is None:
        return None
    run = _run(new)
    searchable = await artifacts.searchable(tx, connection.id)
    state = _state(run, title=connection.title, searchable=searchable)
    queued = Event(kind=EventKind.QUEUED, at=moment, attempt=run.attempt, patch=state)
    await milestones.add(tx, tenant, run.id, 1, queued)
    return run


def _state(run: Run, *, title: str, searchable: int) -> dict[str, Any]:
    """Every field that ``docs/events.md`` lists, as it is at first."""
    return {
        "id": str(run.id),
        "connection_id": str(run.connection),
        "workflow": run.workflow,
        "title": title,
        "status": run.status,
        "reason": None,
        "attempt": run.attempt,
        "created_at": _iso(run.created_at),
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


async def _take(tx: Tx, row: Row[Any], *, worker: str, lease_until: datetime) -> Run:
    values = {"attempt": row.attempt + 1, "worker": worker, "lease_until": lease_until}
    run = await _write(tx, row.id, Attempt(row.attempt), values)
    if row.worker is None:
        return run
    # Told in the new attempt's name, so that the stream, too, refuses the lost one from here on.
    lost = Event(
        kind=EventKind.ATTEMPT_LOST,
        at=now(),
        attempt=run.attempt,
        data={"lost": row.attempt, "worker": row.worker},
        patch={"activity": "Going on from the last checkpoint", "rate": None, "eta": None},
    )
    number = await record(tx, run.id, lost)
    return replace(run, status=STATUS_AFTER[lost.kind], reason=None, milestones=number)


async def _write(tx: Tx, run_id: RunId, attempt: Attempt, values: Mapping[str, Any]) -> Run:
    fence = and_(runs.c.id == run_id, runs.c.attempt == attempt, runs.c.finished_at.is_(None))
    written = await tx.execute(update(runs).where(fence).values(dict(values)).returning(runs))
    row = written.one_or_none()
    if row is None:
        raise await _refusal(tx, run_id, attempt)
    return _run(row)


async def _refusal(tx: Tx, run_id: RunId, attempt: Attempt) -> Refused:
    run = await find(tx, run_id)
    if run is None:
        return RunEnded(f"Run {run_id} does not exist any more.")
    if run.finished_at is not None:
        return RunEnded(f"Run {run_id} is over: {run.status}.")
    return AttemptFenced(f"Run {run_id} is at attempt {run.attempt}, not {attempt}.")


async def _one(tx: Tx, where: ColumnElement[bool]) -> Run | None:
    row = (await tx.execute(select(runs).where(where))).one_or_none()
    return None if row is None else _run(row)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _run(row: Row[Any]) -> Run:
    return Run(
        id=RunId(row.id),
        tenant=TenantId(row.tenant_id),
        connection=None if row.connection_id is None else ConnectionId(row.connection_id),
        workflow=row.workflow,
        input=row.input,
        status=RunStatus(row.status),
        reason=row.reason,
        attempt=Attempt(row.attempt),
        worker=row.worker,
        milestones=row.milestones,
        seq=Seq(row.seq),
        counts=Counts.from_json(row.counts),
        created_at=row.created_at,
        started_at=row.started_at,
        first_queryable_at=row.first_queryable_at,
        finished_at=row.finished_at,
    )
