"""Schedules and their ticks, as values."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from storage.ids import ConnectionId, RunId, TenantId
from storage.schedules.cadence import Cadence


class Hold(StrEnum):
    """Why a schedule cannot go on by itself."""

    REAUTHORIZATION = "reauthorization"  # its owner has to connect the account again


class Outcome(StrEnum):
    STARTED = "started"
    SKIPPED = "skipped"  # a run was at the connection already


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One time that a schedule was due, and what became of it.

    ``run`` is what it started, or what was in its way. It stands for ``missed`` ticks before it,
    which nobody was there to see, or which came while the schedule was held.
    """

    connection: ConnectionId
    due_at: datetime
    fired_at: datetime
    outcome: Outcome
    run: RunId | None
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    connection: ConnectionId
    tenant: TenantId
    cadence: Cadence
    anchor_at: datetime
    paused: bool
    held: Hold | None
    due_at: datetime
    fire_at: datetime

    @property
    def next_at(self) -> datetime | None:
        """When it comes to its next tick; None while it is paused or held."""
        return None if self.paused or self.held else self.fire_at


def schedule_of(row: Row[Any]) -> Schedule:
    interval = row.interval_seconds
    return Schedule(
        connection=ConnectionId(row.connection_id),
        tenant=TenantId(row.tenant_id),
        cadence=Cadence(
            cron=row.cron,
            time_zone=row.time_zone,
            interval=None if interval is None else timedelta(seconds=interval),
            jitter=timedelta(seconds=row.jitter_seconds),
        ),
        anchor_at=row.anchor_at,
        paused=row.paused,
        held=None if row.held is None else Hold(row.held),
        due_at=row.due_at,
        fire_at=row.fire_at,
    )


def tick_of(row: Row[Any]) -> Tick:
    return Tick(
        connection=ConnectionId(row.connection_id),
        due_at=row.due_at,
        fired_at=row.fired_at,
        outcome=Outcome(row.outcome),
        run=None if row.run_id is None else RunId(row.run_id),
        missed=row.missed,
    )
