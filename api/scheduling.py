"""What goes over the wire about schedules."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from api.schemas import NO_NUL, ReasonView, Request, View

CRON = "Five fields: minute, hour, day of the month, month, day of the week"


class ScheduleRequest(Request):
    """Either ``cron`` with its time zone, or ``interval_seconds``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cron": "0 6 * * 1-5", "time_zone": "Europe/Paris"}]}
    )

    cron: Annotated[str, Field(max_length=200, pattern=NO_NUL, description=CRON)] | None = None
    time_zone: Annotated[str, Field(max_length=64, pattern=NO_NUL)] = Field(
        default="UTC", description="Of `cron`: a name of the IANA database, such as Europe/Paris"
    )
    interval_seconds: Annotated[int, Field(description="60 or more")] | None = None
    jitter_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=0, description="Ticks come up to so much later, each by an amount of its own"
    )


class TickView(View):
    """A time that the schedule was due. ``run_id``: what it started, or what was in its way."""

    due_at: datetime
    fired_at: datetime
    outcome: str = Field(description="`started`, or `skipped`: a run was at it already")
    run_id: UUID | None = None
    missed: int = Field(default=0, description="Ticks before it that nobody saw: it stands for all")


class ScheduleView(View):
    """When a connection is ingested by itself. ``next_at`` is null while it is paused or held."""

    connection_id: UUID
    cron: str | None = None
    time_zone: str
    interval_seconds: int | None = None
    jitter_seconds: int = 0
    paused: bool = False
    held: ReasonView | None = Field(default=None, description="Why it cannot go on by itself")
    next_at: datetime | None = None
    last: TickView | None = None


class ScheduleHistory(ScheduleView):
    """``recent``: what became of its latest ticks, the newest first."""

    recent: list[TickView] = Field(default_factory=list)
