"""Who is at a run: a worker takes it, holds on to it by beating, and lets it go."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, false, or_, select, true, update

from storage.clock import now, shared_now
from storage.database import Tx
from storage.events import Event, EventKind, RunStatus
from storage.ids import ArtifactId, Attempt, RunId
from storage.runs.fence import lock, one_try_less, owned, record, requeue, write
from storage.runs.routing import LATER, takes
from storage.runs.values import Held, Run, Wish, wish_of
from storage.tables import runs

HOLD_SECONDS = 120
"""How long a step may take without progress, unless its attempt says otherwise."""

# A worker that is set without a lease had it revoked: see ``pulses.revoke``.
REVOKED = and_(runs.c.worker.is_not(None), runs.c.lease_until.is_(None))
PARKED = and_(
    runs.c.status == RunStatus.WAITING, runs.c.worker.is_(None), runs.c.finished_at.is_(None)
)
# What is to be cancelled or paused is nobody's to take: see ``wishes.honour``.
TO_STOP = and_(runs.c.wish.is_not(None), runs.c.wish != Wish.RESTART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How an attempt fares. Another ``progress`` than the one before is progress."""

    lag_ms: int
    progress: str
    hold_seconds: int = HOLD_SECONDS
    """How long what is done now may take without progress."""


async def claim(
    tx: Tx,
    *,
    worker: str,
    lease: timedelta,
    limit: int,
    version: str | None = None,
    workflows: Collection[str] | None = None,
    take_over: bool = True,
    from_itself: bool = True,
) -> list[Run]:
    """Take what waits for a worker, and what a worker has let go without a word.

    The oldest first, and what only a schedule asked for after all else. What waited for something
    else is taken when its moment has come (see ``waits.park``).

    ``take_over`` is for workers that could themselves renew a lease lately: after an outage of the
    database everybody is late, and nobody is dead. A worker that is late and alive takes nothing
    ``from_itself``: its next beat holds it. Without a ``version``, any run may be taken; with
    ``workflows``, only runs of these: what this worker does not know waits for one that does.
    """
    moment = await shared_now(tx)
    routed = await takes(tx, version)
    due = and_(PARKED, runs.c.waits_until <= moment)
    others = true() if from_itself else runs.c.worker != worker
    late = and_(runs.c.lease_until < moment, others) if take_over else false()
    waits = and_(runs.c.status == RunStatus.QUEUED, runs.c.worker.is_(None))
    known = true() if workflows is None else runs.c.workflow.in_(workflows)
    may = and_(runs.c.finished_at.is_(None), ~TO_STOP, routed, known)
    query = (
        select(runs)
        .where(may, or_(waits, due, late, REVOKED))
        .order_by(LATER, runs.c.created_at)
        .limit(limit)
    )
    rows = (await tx.execute(query.with_for_update(skip_locked=True))).all()
    taken = _taken(worker, version, moment, lease)
    return [await _take(tx, row, taken) for row in rows]


def _taken(worker: str, version: str | None, moment: datetime, lease: timedelta) -> dict[str, Any]:
    return {
        "worker": worker,
        "version": version,
        "lease_until": moment + lease,
        **dict.fromkeys(("claimed_at", "beat_at", "progressed_at"), moment),
        **dict.fromkeys(("wish", "lag_ms", "progress", "stalled_at")),
        "hold_seconds": HOLD_SECONDS,
    }


async def beat(
    tx: Tx, *, worker: str, lease: timedelta, beats: Mapping[tuple[RunId, Attempt], Beat]
) -> list[Held]:
    """Hold on to all that the worker holds. What is not in the answer is not its any more.

    A run in the middle of a commit is left for the next beat: nobody can take it meanwhile, and the
    others must not wait for it.
    """
    moment = await shared_now(tx)
    free = select(runs.c.id).where(_held_by(worker)).with_for_update(skip_locked=True)
    renewed = await tx.execute(
        update(runs)
        .where(runs.c.id.in_([row.id for row in await tx.execute(free)]))
        .values(lease_until=moment + lease, beat_at=moment)
        .returning(runs.c.id, runs.c.attempt, runs.c.wish)
    )
    for each in [_held(*row) for row in renewed]:
        if each_beat := beats.get((each.run, each.attempt)):
            await _feel(tx, each, each_beat, moment)
    return await held(tx, worker=worker)


async def taken(tx: Tx, given: Collection[tuple[RunId, Attempt]]) -> list[tuple[RunId, Attempt]]:
    """Those of the attempts that must stop: another one is at the run, or it was told to let go.

    One that ended, waits or handed over by itself is none of them.
    """
    if not given:
        return []
    query = select(runs.c.id, runs.c.attempt, REVOKED.label("revoked"))
    found = await tx.execute(query.where(runs.c.id.in_([run for run, _ in given])))
    ours = {(row.id, row.attempt) for row in found if not row.revoked}
    return [each for each in given if each not in ours]


async def held(tx: Tx, *, worker: str) -> list[Held]:
    """The same, only looked at."""
    query = select(runs.c.id, runs.c.attempt, runs.c.wish).where(_held_by(worker))
    return [_held(*row) for row in await tx.execute(query)]


async def inherit(tx: Tx, dead: str) -> int:
    """Let all go that a worker held which is known to be dead: the next claim takes it at once."""
    gone = update(runs).where(_held_by(dead)).values(lease_until=None)
    return (await tx.execute(gone)).rowcount


async def adopt(tx: Tx, run_id: RunId, attempt: Attempt, *, worker: str) -> Run:
    """The flow says that it is the one at it, wherever it was placed."""
    return await write(tx, run_id, attempt, {"worker": worker})


async def release(tx: Tx, run_id: RunId, attempt: Attempt, *, tried: bool = True) -> None:
    """Give the run back to the queue, to be claimed at once. Its milestone is recorded before.

    Not ``tried`` is an attempt that nobody could begin: it is not held against the run. One that
    was let go already stays as it is: it is in the queue, or waits, or is paused.
    """
    if (await lock(tx, run_id, attempt)).worker is None:
        return
    kept = case((TO_STOP, runs.c.wish), else_=None)
    values: dict[str, Any] = {
        "status": RunStatus.QUEUED,
        "worker": None,
        "lease_until": None,
        "wish": kept,
    }
    if not tried:
        values["tries"] = one_try_less()
    await write(tx, run_id, attempt, values)


async def hold(tx: Tx, run_id: RunId, attempt: Attempt, *, seconds: int) -> None:
    """Say how long the step that begins may take without progress."""
    await write(tx, run_id, attempt, {"hold_seconds": seconds})


async def take_in_hand(
    tx: Tx,
    run_id: RunId,
    attempt: Attempt,
    artifacts: Collection[ArtifactId],
    *,
    deaths: int | None = None,
) -> None:
    """Say what dies with this process, so that the one that kills it is found.

    ``deaths`` is for whoever knows how the row of deaths goes on: 0 when what was in hand is done.
    """
    values: dict[str, Any] = {"in_hand": list(artifacts) or None}
    if deaths is not None:
        values["deaths"] = deaths
    await write(tx, run_id, attempt, values)


async def _take(tx: Tx, row: Row[Any], taken: Mapping[str, Any]) -> Run:
    values = {**taken, "attempt": row.attempt + 1, "tries": row.tries + 1}
    if row.worker is not None:
        values["deaths"] = _deaths(row)
    run = await write(tx, row.id, Attempt(row.attempt), values)
    if row.status == RunStatus.WAITING and row.worker is None:
        number = await requeue(tx, run.id, run.attempt)
        return replace(
            run, status=RunStatus.QUEUED, reason=None, waits_until=None, milestones=number
        )
    if row.worker is None:
        return run
    # Told in the new attempt's name, so that the stream, too, refuses the lost one from here on.
    reason, what = _loss(row)
    words = f"A worker {what}; another one goes on from the last checkpoint"
    lost = Event(
        kind=EventKind.ATTEMPT_LOST,
        at=now(),
        attempt=run.attempt,
        data={
            "lost": row.attempt,
            "worker": row.worker,
            "deaths": run.deaths,
            "reason": reason,
            "action": "Nothing to do: what was committed is kept.",
        },
        patch={"activity": words, "rate": None, "eta": None},
    )
    number = await record(tx, run.id, lost)
    return replace(run, status=RunStatus.QUEUED, reason=None, milestones=number)


def _loss(row: Row[Any]) -> tuple[str, str]:
    """Why the attempt is lost, as a code and in words."""
    if row.lease_until is not None:
        return "silent", "stopped answering"
    if row.stalled_at is not None:  # it was told so before it was made to let go
        return "stalled", "got nowhere"
    return "died", "died"


def _deaths(row: Row[Any]) -> int:
    progressed = row.claimed_at and row.progressed_at and row.progressed_at > row.claimed_at
    # Other parts of the run may have moved while what is in hand killed its process again.
    return 1 if progressed and not row.in_hand else int(row.deaths) + 1


async def _feel(tx: Tx, one: Held, how: Beat, moment: datetime) -> None:
    moved = and_(runs.c.progress.is_not(None), runs.c.progress != how.progress)
    await tx.execute(
        update(runs)
        .where(owned(one.run, one.attempt))
        .values(
            lag_ms=how.lag_ms,
            progress=how.progress,
            hold_seconds=how.hold_seconds,
            progressed_at=case((moved, moment), else_=runs.c.progressed_at),
            stalled_at=case((moved, None), else_=runs.c.stalled_at),
        )
    )


def _held_by(worker: str) -> ColumnElement[bool]:
    return and_(runs.c.worker == worker, runs.c.finished_at.is_(None), ~REVOKED)


def _held(run_id: UUID, attempt: int, wish: str | None) -> Held:
    return Held(RunId(run_id), Attempt(attempt), wish_of(wish))
