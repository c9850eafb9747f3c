"""What people ask of a run: to stop, to pause, to go on, to try again what failed.

Whoever holds a run is told through the row's ``wish`` and comes to it at the next boundary; where
nobody holds it, it happens at once. Each may be asked twice: the second time changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, or_, select

from storage import connections, failures
from storage.clock import now, shared_now
from storage.database import Tx
from storage.errors import NothingFailed, RunEnded, RunStopping, RunUnfinished
from storage.events import Event, EventKind, RunStatus
from storage.ids import Attempt, RunId, TenantId
from storage.runs.asking import get, request
from storage.runs.fence import lock, record, write
from storage.runs.leases import TO_STOP
from storage.runs.values import BY_HINT, ONLY_FAILED, Run, Wish, run_of
from storage.tables import runs

QUIET: Mapping[str, Any] = {"rate": None, "eta": None}
CANCELLED: Mapping[str, Any] = {"activity": "Cancelled: what was indexed is kept", **QUIET}
PAUSED: Mapping[str, Any] = {"activity": "Paused: it goes on from here", **QUIET}
"""What the states say, whoever comes to the wish."""

_REQUEUED: Mapping[str, Any] = {"activity": "Waiting for a worker", **QUIET}
_STOPPED = frozenset({EventKind.CANCELLED, EventKind.PAUSED})
_WORDS = {EventKind.CANCELLED: CANCELLED, EventKind.PAUSED: PAUSED, EventKind.REQUEUED: _REQUEUED}


async def cancel(tx: Tx, tenant: TenantId, run_id: RunId) -> Run | None:
    """Stop for good, and keep what is indexed. Raises ``RunEnded``."""
    row = await _locked(tx, tenant, run_id)
    if row is None or row.status == RunStatus.CANCELLED:
        return row and run_of(row)
    _refuse_ended(row, "cancel")
    if await _is_held(tx, row):
        return await _wish(tx, row, Wish.CANCEL)
    return await _stop(tx, row, EventKind.CANCELLED)


async def pause(tx: Tx, tenant: TenantId, run_id: RunId) -> Run | None:
    """Stop until it is resumed. Raises ``RunEnded`` and ``RunStopping``."""
    row = await _locked(tx, tenant, run_id)
    if row is None or row.status == RunStatus.PAUSED:
        return row and run_of(row)
    _refuse_ended(row, "pause")
    _refuse_stopping(row)
    if await _is_held(tx, row):
        return await _wish(tx, row, Wish.PAUSE)
    return await _stop(tx, row, EventKind.PAUSED)


async def resume(tx: Tx, tenant: TenantId, run_id: RunId) -> Run | None:
    """Go on after a pause, also one that nobody came to yet; or look now whether a wait is over.

    What runs just goes on running.

    Raises ``RunEnded`` and ``RunStopping``.
    """
    row = await _locked(tx, tenant, run_id)
    if row is None:
        return None
    _refuse_ended(row, "resume")
    _refuse_stopping(row)
    parked = row.status == RunStatus.WAITING and row.worker is None
    if row.status == RunStatus.PAUSED or parked:
        return await _tell(tx, row, Attempt(row.attempt), EventKind.REQUEUED)
    if row.wish == Wish.PAUSE:
        return await _wish(tx, row, None)
    return run_of(row)


async def retry(tx: Tx, tenant: TenantId, run_id: RunId) -> tuple[Run, bool] | None:
    """A run that tries again all that is failed in this one's connection, and whether it is new.

    Raises ``RunUnfinished`` and ``NothingFailed``.
    """
    run = await get(tx, tenant, run_id)
    if run is None:
        return None
    if run.finished_at is None and not run.only_failed:
        raise RunUnfinished(f"The run is {run.status}: what failed is retried when it is over.")
    connection = run.connection and await connections.get(tx, tenant, run.connection)
    if not connection:
        raise NothingFailed("The run is of no connection, so nothing of one has failed.")
    busy = select(runs.c.id).where(
        runs.c.connection_id == connection.id,
        runs.c.workflow == run.workflow,
        runs.c.finished_at.is_(None),
    )
    if (await tx.execute(busy)).first() is None and not await failures.page(
        tx, tenant, connection.id, run=None, after=None, limit=1
    ):
        raise NothingFailed("Nothing is failed here any more.")
    asked = {name: value for name, value in run.input.items() if name not in BY_HINT}
    given = {**asked, **ONLY_FAILED}
    new, created = await request(
        tx, tenant, connection=connection, workflow=run.workflow, input=given
    )
    if not new.only_failed:
        raise RunUnfinished(f"Run {new.id} is at this connection: retry what failed after it.")
    return new, created


async def wished(tx: Tx, run_id: RunId, attempt: Attempt) -> Wish | None:
    """What is wished at this moment, by which the row stays as it is until the commit.

    For an attempt that stops: a pause may have been taken back while it came to a boundary.
    """
    return (await lock(tx, run_id, attempt)).wish


async def honour(tx: Tx) -> list[RunId]:
    """Come to the wishes for runs that somebody held and let go. Answers whose story went on."""
    moment = await shared_now(tx)
    let_go = or_(runs.c.lease_until.is_(None), runs.c.lease_until < moment)
    query = select(runs).where(runs.c.finished_at.is_(None), let_go, TO_STOP)
    rows = (await tx.execute(query.with_for_update(skip_locked=True))).all()
    for row in rows:
        kind = EventKind.CANCELLED if row.wish == Wish.CANCEL else EventKind.PAUSED
        await _stop(tx, row, kind)
    return [RunId(row.id) for row in rows]


async def _locked(tx: Tx, tenant: TenantId, run_id: RunId) -> Row[Any] | None:
    mine = and_(runs.c.tenant_id == tenant, runs.c.id == run_id)
    return (await tx.execute(select(runs).where(mine).with_for_update())).one_or_none()


def _refuse_ended(row: Row[Any], verb: str) -> None:
    if row.finished_at is not None:
        raise RunEnded(f"The run is over ({row.status}): there is nothing to {verb}.")


def _refuse_stopping(row: Row[Any]) -> None:
    if row.wish == Wish.CANCEL:
        raise RunStopping("The run is being cancelled.")


async def _is_held(tx: Tx, row: Row[Any]) -> bool:
    lease: datetime | None = row.lease_until
    return row.worker is not None and lease is not None and lease >= await shared_now(tx)


async def _wish(tx: Tx, row: Row[Any], wish: Wish | None) -> Run:
    """Tell the holder, and those who watch: they see at once that it is being come to."""
    if row.wish == wish:
        return run_of(row)
    attempt = Attempt(row.attempt)
    await write(tx, row.id, attempt, {"wish": wish})
    return await _tell(tx, row, attempt, EventKind.WISHED, wish=wish)


async def _stop(tx: Tx, row: Row[Any], kind: EventKind) -> Run:
    attempt = Attempt(row.attempt)
    if row.worker is not None:  # its worker may come back from the dead: it must not write
        attempt = (await write(tx, row.id, attempt, {"attempt": attempt + 1})).attempt
    return await _tell(tx, row, attempt, kind)


async def _tell(
    tx: Tx, row: Row[Any], attempt: Attempt, kind: EventKind, **data: str | None
) -> Run:
    words = _WORDS.get(kind, {})
    # Its worker cannot say any more how far it came: only ticks have told it, and they may be lost.
    patch = {**run_of(row).newest({}), **words} if kind in _STOPPED else words
    event = Event(kind=kind, at=now(), attempt=attempt, data=data, patch=patch)
    await record(tx, RunId(row.id), event)
    told = (await tx.execute(select(runs).where(runs.c.id == row.id))).one()
    return run_of(told)
