"""Whose a run is while several versions of the workers are there: see ``storage.versions``.

A version that nobody works for strands nothing: until it has a worker, the others go on with what
is its own, and then they hand it over.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, case, false, func, or_, select, true

from storage import versions, workers
from storage.database import Tx
from storage.ids import Attempt, RunId
from storage.runs.values import BY_SCHEDULE, Held
from storage.tables import runs
from storage.versions import Deployment

SCHEDULED = runs.c.input["trigger"].as_string() == BY_SCHEDULE["trigger"]
LATER = case((SCHEDULED, 1), else_=0)
"""By which runs are ordered before their age: what only a schedule asked for comes last."""


async def takes(tx: Tx, version: str | None) -> ColumnElement[bool]:
    """Which runs a worker of this version may take, as a condition; any, if it has none."""
    deployment = await versions.load(tx)
    if version is None or deployment is None:
        return true()
    alive = {each.version for each in await free_workers(tx)}
    without = _versions(deployment) - alive
    return or_(*(_belongs(each, deployment) for each in sorted({version, *without})))


async def misplaced(
    tx: Tx, held: Sequence[Held], *, version: str
) -> Collection[tuple[RunId, Attempt]]:
    """What a worker of this version should hand over: another one has room for it."""
    deployment = await versions.load(tx)
    if deployment is None or not held:
        return ()
    room = dict.fromkeys(_versions(deployment), 0)
    for worker in await free_workers(tx):
        if worker.version in room:
            room[worker.version] += max(0, worker.slots - worker.held)
    attempts = {each.run: each.attempt for each in held}
    query = select(runs.c.id, runs.c.bucket).where(runs.c.id.in_(attempts)).order_by(runs.c.id)
    theirs = []
    for row in await tx.execute(query):
        owner = versions.route(row.bucket, deployment)
        if owner != version and room[owner] > 0:
            room[owner] -= 1
            theirs.append((RunId(row.id), attempts[RunId(row.id)]))
    return theirs


async def of_others(
    tx: Tx, attempts: Collection[tuple[RunId, Attempt]], *, version: str
) -> Collection[tuple[RunId, Attempt]]:
    """Those that a worker of another version has claimed, for it or for one like it to begin."""
    query = select(runs.c.id, runs.c.attempt).where(
        runs.c.id.in_([run for run, _ in attempts]),
        runs.c.finished_at.is_(None),
        runs.c.worker.is_not(None),
        runs.c.version != version,
    )
    claimed = {(RunId(row.id), Attempt(row.attempt)) for row in await tx.execute(query)}
    return claimed.intersection(attempts)


async def free_workers(tx: Tx) -> Sequence[workers.Worker]:
    return [each for each in await workers.live(tx) if not each.draining]


def _versions(deployment: Deployment) -> set[str]:
    ramp = deployment.ramp
    return {deployment.active, *([ramp.version] if ramp else [])}


def _belongs(version: str, deployment: Deployment) -> ColumnElement[bool]:
    """What ``versions.route`` says, as a condition."""
    ramp, active = deployment.ramp, deployment.active == version
    if ramp is None:
        return true() if active else false()
    ramped = func.coalesce(runs.c.bucket, versions.BUCKETS) < ramp.percent
    if ramp.version == version:
        return true() if active else ramped
    return ~ramped if active else false()
