"""Schedules as they are kept, and as they go over the wire."""

from collections.abc import Sequence
from datetime import timedelta

from api.scheduling import ScheduleHistory, ScheduleRequest, ScheduleView, TickView
from api.schemas import ReasonView
from storage.schedules import Cadence, Hold, Schedule, Tick

HELD = {
    Hold.REAUTHORIZATION: ReasonView(
        code=Hold.REAUTHORIZATION,
        message="What opens the account is not good any more.",
        action="Connect the account again: the schedule goes on by itself then.",
    )
}


def cadence(wanted: ScheduleRequest) -> Cadence:
    """What was asked for; it may be one that cannot be kept (``Cadence.check``)."""
    seconds = wanted.interval_seconds
    if seconds is not None:  # what no timedelta holds is out of bounds either way
        seconds = min(max(seconds, -1), 10**9)
    return Cadence(
        cron=wanted.cron,
        time_zone=wanted.time_zone,
        interval=None if seconds is None else timedelta(seconds=seconds),
        jitter=timedelta(seconds=wanted.jitter_seconds),
    )


def shown(schedule: Schedule, last: Tick | None) -> ScheduleView:
    cadence = schedule.cadence
    interval = cadence.interval
    return ScheduleView(
        connection_id=schedule.connection,
        cron=cadence.cron,
        time_zone=cadence.time_zone,
        interval_seconds=None if interval is None else int(interval.total_seconds()),
        jitter_seconds=int(cadence.jitter.total_seconds()),
        paused=schedule.paused,
        held=None if schedule.held is None else HELD[schedule.held],
        next_at=schedule.next_at,
        last=None if last is None else tick_view(last),
    )


def with_history(schedule: Schedule, ticks: Sequence[Tick]) -> ScheduleHistory:
    view = shown(schedule, ticks[0] if ticks else None)
    return ScheduleHistory(**view.model_dump(), recent=[tick_view(tick) for tick in ticks])


def tick_view(tick: Tick) -> TickView:
    return TickView(
        due_at=tick.due_at,
        fired_at=tick.fired_at,
        outcome=tick.outcome,
        run_id=tick.run,
        missed=tick.missed,
    )
