"""A run, as its row says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from storage.counts import Counts
from storage.events import RunStatus, State
from storage.ids import ArtifactId, Attempt, ConnectionId, RunId, Seq, TenantId

ONLY_FAILED = {"only": "failed"}
"""In a run's input, what makes it try again what failed, and nothing else."""

BY_SCHEDULE: Mapping[str, str] = {"trigger": "schedule"}
"""In a run's input: nobody asked for it but a schedule, so that it yields to whoever did."""

BY_HINT: Mapping[str, str] = {**BY_SCHEDULE, "because": "hint"}
"""The same, for the source's provider told that something changed."""


class Wish(StrEnum):
    """What is asked of the attempt that is at a run, until it comes to it."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESTART = "restart"  # let go, so that another worker goes on: a monitor's wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    id: RunId
    tenant: TenantId
    connection: ConnectionId | None
    owner: str | None
    """The end user it is for: of its connection, or who asked for it; None: of nobody alone."""

    workflow: str
    title: str
    input: Mapping[str, Any]
    status: RunStatus
    reason: Mapping[str, Any] | None
    attempt: Attempt
    worker: str | None
    milestones: int
    seq: Seq
    counts: Counts
    moved: State
    """What else of the state moved with the counts, as of the same commit."""

    created_at: datetime
    started_at: datetime | None
    first_queryable_at: datetime | None
    finished_at: datetime | None
    wish: Wish | None
    version: str | None
    """The worker's that took it last."""

    bucket: int | None
    """By which a ramp tells runs apart: see ``storage.versions``."""

    waits_until: datetime | None
    """When a run that waits is looked at again; None if somebody has to wake it."""

    tries: int
    """How many attempts came to no good end, the one now at it included."""

    deaths: int
    """How many attempts in a row were lost without getting anywhere."""

    in_hand: tuple[ArtifactId, ...]
    """What the attempt was processing when it was last heard of, and dies with it."""

    @property
    def only_failed(self) -> bool:
        """Whether it is to try again what failed, and nothing else."""
        return self.input.get("only") == ONLY_FAILED["only"]

    @property
    def scheduled(self) -> bool:
        """Whether only a schedule asked for it."""
        return self.input.get("trigger") == BY_SCHEDULE["trigger"]

    def newest(self, folded: State) -> State:
        """The state its milestones fold to, with what has moved since the last of them.

        The ticks that told it may be lost with the stream; and what was shown must never fall.
        """
        return {**folded, **self.moved, "counts": self.counts.to_json()}


@dataclass(frozen=True, slots=True)
class Held:
    """A run in a worker's hands, and what is wished of it."""

    run: RunId
    attempt: Attempt
    wish: Wish | None


def run_of(row: Row[Any]) -> Run:
    return Run(
        id=RunId(row.id),
        tenant=TenantId(row.tenant_id),
        connection=None if row.connection_id is None else ConnectionId(row.connection_id),
        owner=row.owner,
        workflow=row.workflow,
        title=row.title,
        input=row.input,
        status=RunStatus(row.status),
        reason=row.reason,
        attempt=Attempt(row.attempt),
        worker=row.worker,
        milestones=row.milestones,
        seq=Seq(row.seq),
        counts=Counts.from_json(row.counts),
        moved=row.moved or {},
        created_at=row.created_at,
        started_at=row.started_at,
        first_queryable_at=row.first_queryable_at,
        finished_at=row.finished_at,
        wish=wish_of(row.wish),
        version=row.version,
        bucket=row.bucket,
        waits_until=row.waits_until,
        tries=row.tries,
        deaths=row.deaths,
        in_hand=tuple(ArtifactId(each) for each in row.in_hand or ()),
    )


def wish_of(value: str | None) -> Wish | None:
    return None if value is None else Wish(value)


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
