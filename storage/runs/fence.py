"""Writing to a run in an attempt's name: refused if a later attempt owns it, or if it is over."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select, update

from storage import milestones
from storage.clock import now, shared_now
from storage.counts import Counts
from storage.database import Tx
from storage.errors import AttemptFenced, Refused, RunEnded
from storage.events import STATUS_AFTER, TERMINAL, Event, EventKind, RunStatus, State
from storage.ids import Attempt, RunId, Seq
from storage.runs.values import Run, iso, run_of
from storage.tables import runs

LETS_GO = TERMINAL | {EventKind.PAUSED}
"""After these nobody holds the run, and nothing is wished of it any more."""

QUEUED_AGAIN = {"activity": "Waiting for a worker", "rate": None, "eta": None}
TELLS_THE_ROW = {EventKind.QUERYABLE, EventKind.WISHED}
"""These leave the status as it is, and tell what they changed all the same."""


async def record(tx: Tx, run_id: RunId, event: Event) -> int:
    """Append a milestone and let it change the run. Answers its number.

    The patch is kept complete: whatever the writer put there, the fields of the run's row are told
    as the row has them, so that folding the milestones gives the row.
    """
    values = _effect(event)
    if STATUS_AFTER.get(event.kind) is RunStatus.RUNNING:
        # It may have waited for hours: how long it stands still is counted from here.
        values |= {"progressed_at": await shared_now(tx), "stalled_at": None}
    written = await write(tx, run_id, event.attempt, values)
    whole = replace(event, patch={**event.patch, **_told(written, event)})
    await milestones.add(tx, written.tenant, run_id, written.milestones, whole)
    return written.milestones


async def requeue(tx: Tx, run_id: RunId, attempt: Attempt) -> int:
    """Say that the run is in the queue again. Answers the milestone's number."""
    event = Event(kind=EventKind.REQUEUED, at=now(), attempt=attempt, patch=QUEUED_AGAIN)
    return await record(tx, run_id, event)


async def save(
    tx: Tx, run_id: RunId, attempt: Attempt, *, counts: Counts, seq: Seq, moved: State | None = None
) -> None:
    """Keep the counts with what they count. In every transaction of an attempt: it is the fence.

    ``moved``: fields of the run's state that move with the counts.
    """
    highest = case((runs.c.seq < seq, seq), else_=runs.c.seq)
    values = {"counts": counts.to_json(), "seq": highest}
    if moved is not None:
        values["moved"] = dict(moved)
    await write(tx, run_id, attempt, values)


async def lock(tx: Tx, run_id: RunId, attempt: Attempt) -> Run:
    """Keep the run as it is until the commit. Raises ``AttemptFenced`` or ``RunEnded``.

    First in a transaction, so that a stale attempt is told that it is stale, and not by whatever
    it would collide with; and so that nobody takes the run over in the middle.
    """
    row = (await tx.execute(select(runs).where(owned(run_id, attempt)).with_for_update())).first()
    if row is None:
        raise await refusal(tx, run_id, attempt)
    return run_of(row)


async def write(tx: Tx, run_id: RunId, attempt: Attempt, values: Mapping[str, Any]) -> Run:
    """Raises ``AttemptFenced`` or ``RunEnded`` where the attempt may not write."""
    written = await tx.execute(
        update(runs).where(owned(run_id, attempt)).values(dict(values)).returning(runs)
    )
    row = written.one_or_none()
    if row is None:
        raise await refusal(tx, run_id, attempt)
    return run_of(row)


def one_try_less() -> ColumnElement[int]:
    """For an attempt that ends well without ending the run: it is not held against it."""
    return case((runs.c.tries > 0, runs.c.tries - 1), else_=0)


def owned(run_id: RunId, attempt: Attempt) -> ColumnElement[bool]:
    return and_(runs.c.id == run_id, runs.c.attempt == attempt, runs.c.finished_at.is_(None))


async def refusal(tx: Tx, run_id: RunId, attempt: Attempt) -> Refused:
    row = (await tx.execute(select(runs).where(runs.c.id == run_id))).one_or_none()
    if row is None:
        return RunEnded(f"Run {run_id} does not exist any more.")
    if row.finished_at is not None:
        return RunEnded(f"Run {run_id} is over: {row.status}.")
    return AttemptFenced(f"Run {run_id} is at attempt {row.attempt}, not {attempt}.")


def _effect(event: Event) -> dict[str, Any]:
    values: dict[str, Any] = {"milestones": runs.c.milestones + 1}
    if event.kind in STATUS_AFTER:
        # Only a run that waits or has failed has a reason, and its event says it.
        values |= {"status": STATUS_AFTER[event.kind], "reason": event.patch.get("reason")}
        if STATUS_AFTER[event.kind] is not RunStatus.WAITING:
            values["waits_until"] = None
    if event.kind is EventKind.STARTED:
        values["started_at"] = _first(runs.c.started_at, event.at)
    if event.kind is EventKind.QUERYABLE:
        values["first_queryable_at"] = _first(runs.c.first_queryable_at, event.at)
    if event.kind is EventKind.ATTEMPT_HANDED_OVER:
        values["tries"] = one_try_less()
    if event.kind in LETS_GO:
        values |= {"worker": None, "lease_until": None, "wish": None}
    if event.kind in TERMINAL:
        values["finished_at"] = event.at
    return values


def _first(column: ColumnElement[Any], moment: datetime) -> ColumnElement[Any]:
    return func.coalesce(column, literal(moment, column.type))


def _told(run: Run, event: Event) -> dict[str, Any]:
    if event.kind not in STATUS_AFTER and event.kind not in TELLS_THE_ROW:
        return {}
    return {
        "status": run.status,
        "reason": run.reason,
        "wish": run.wish,
        "attempt": run.attempt,
        "started_at": iso(run.started_at),
        "first_queryable_at": iso(run.first_queryable_at),
        "finished_at": iso(run.finished_at),
    }
