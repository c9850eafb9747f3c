"""Which version of the workers takes a run: one is active, another may get a share to prove itself.

Without a deployment any worker takes any run. What a ramp gets is decided by the run, not by
chance: asking twice says the same, and a higher percentage only adds to it.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update

from storage import workers
from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.errors import NotDeployed
from storage.events import RunStatus
from storage.ids import RunId
from storage.tables import facts, runs

DEPLOYMENT = "deployment"
BUCKETS = 100
REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class Ramp:
    version: str
    percent: int


@dataclass(frozen=True, slots=True)
class Change:
    at: datetime
    active: str
    ramp: Ramp | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """``history`` has the latest change last."""

    active: str
    ramp: Ramp | None = None
    history: tuple[Change, ...] = ()


class Role(StrEnum):
    ACTIVE = "active"
    RAMPING = "ramping"
    DRAINING = "draining"  # gets nothing new, and still holds runs
    DRAINED = "drained"  # may be stopped
    SERVING = "serving"  # nothing is deployed: every version takes any run


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The workers of one version, and the runs that are theirs."""

    version: str
    role: Role
    workers: int
    """Those alive that take runs."""

    held: int
    queued: int
    """What waits for this version and no other."""


def bucket(run_id: RunId) -> int:
    return int.from_bytes(hashlib.sha256(run_id.bytes).digest()[:8]) % BUCKETS


def route(of_run: int | None, deployment: Deployment) -> str:
    """The version that a run of this bucket belongs to. One without a bucket is never ramped."""
    ramp = deployment.ramp
    if ramp is not None and of_run is not None and of_run < ramp.percent:
        return ramp.version
    return deployment.active


async def load(tx: Tx) -> Deployment | None:
    value = await tx.scalar(select(facts.c.value).where(facts.c.key == DEPLOYMENT))
    return None if value is None else _deployment(value)


async def activate(tx: Tx, version: str) -> Deployment:
    """Give everything to this version. It ends a ramp."""
    return await _change(tx, await _locked(tx), active=version, ramp=None)


async def ramp(tx: Tx, version: str, percent: int) -> Deployment:
    """Give a share to this version; 0 ends the ramp. Raises ``NotDeployed``."""
    deployed = await _locked(tx)
    if deployed is None:
        raise NotDeployed("No version is active yet, so that there is nothing to ramp from.")
    share = Ramp(version, percent) if percent and version != deployed.active else None
    return await _change(tx, deployed, active=deployed.active, ramp=share)


async def fleets(tx: Tx) -> list[Fleet]:
    """Every version that has live workers, runs, or a part in the deployment."""
    deployment = await load(tx)
    alive = Counter(each.version for each in await workers.live(tx) if not each.draining)
    held = await _held(tx)
    queued = await _queued(tx, deployment)
    known = {*alive, *held, *queued}
    if deployment is not None:
        known |= {deployment.active, *([deployment.ramp.version] if deployment.ramp else [])}
    return [
        Fleet(
            version=version,
            role=_role(version, deployment, held=held[version]),
            workers=alive[version],
            held=held[version],
            queued=queued[version],
        )
        for version in sorted(known)
    ]


def _role(version: str, deployment: Deployment | None, *, held: int) -> Role:
    if deployment is None:
        return Role.SERVING
    if version == deployment.active:
        return Role.ACTIVE
    if deployment.ramp is not None and version == deployment.ramp.version:
        return Role.RAMPING
    return Role.DRAINING if held else Role.DRAINED


async def _held(tx: Tx) -> Counter[str]:
    query = (
        select(runs.c.version, func.count().label("runs"))
        .where(
            runs.c.finished_at.is_(None), runs.c.worker.is_not(None), runs.c.version.is_not(None)
        )
        .group_by(runs.c.version)
    )
    return Counter({row.version: row.runs for row in await tx.execute(query)})


async def _queued(tx: Tx, deployment: Deployment | None) -> Counter[str]:
    found: Counter[str] = Counter()
    if deployment is None:
        return found
    query = (
        select(runs.c.bucket, func.count())
        .where(runs.c.finished_at.is_(None), runs.c.status == RunStatus.QUEUED)
        .where(runs.c.worker.is_(None))
        .group_by(runs.c.bucket)
    )
    for of_run, number in await tx.execute(query):
        found[route(of_run, deployment)] += number
    return found


async def _locked(tx: Tx) -> Deployment | None:
    await tx.execute(insert(tx, facts).values(key=DEPLOYMENT, value={}).on_conflict_do_nothing())
    query = select(facts.c.value).where(facts.c.key == DEPLOYMENT).with_for_update()
    return _deployment((await tx.execute(query)).scalar_one())


async def _change(
    tx: Tx, before: Deployment | None, *, active: str, ramp: Ramp | None
) -> Deployment:
    if before is not None and (before.active, before.ramp) == (active, ramp):
        return before
    history = (*(before.history if before else ()), Change(now(), active, ramp))[-REMEMBERED:]
    after = Deployment(active, ramp, history)
    await tx.execute(update(facts).where(facts.c.key == DEPLOYMENT).values(value=_to_json(after)))
    return after


def _to_json(deployment: Deployment) -> Mapping[str, Any]:
    value = asdict(deployment)
    for change in value["history"]:
        change["at"] = change["at"].isoformat()
    return value


def _deployment(value: Mapping[str, Any]) -> Deployment | None:
    if not value:
        return None
    history = tuple(
        Change(datetime.fromisoformat(each["at"]), each["active"], _ramp(each["ramp"]))
        for each in value["history"]
    )
    return Deployment(value["active"], _ramp(value["ramp"]), history)


def _ramp(value: Mapping[str, Any] | None) -> Ramp | None:
    return None if value is None else Ramp(value["version"], value["percent"])
