"""What a run's pulse says: who is dead, who waits, who is busy, and who gets nowhere."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pipelines.monitor import BLOCKED, LOST, Verdict, judge
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT, Attempt, RunId
from storage.runs import Pulse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def pulse(
    *,
    beat: timedelta = SECOND,
    still: timedelta = SECOND,
    lag: timedelta = timedelta(0),
    patience: timedelta = 2 * MINUTE,
    status: RunStatus = RunStatus.RUNNING,
    revoked: bool = False,
    told: timedelta | None = None,
) -> Pulse:
    """Somebody whose last beat and progress are so long ago; and the last word of a standstill."""
    return Pulse(
        run=RunId(UUID(int=1)),
        tenant=LOCAL_TENANT,
        attempt=Attempt(1),
        worker="one",
        version="1",
        status=status,
        wish=None,
        claimed_at=NOW - HOUR,
        beat_at=NOW - beat,
        lag_ms=round(lag / timedelta(milliseconds=1)),
        progress="7",
        progressed_at=NOW - still,
        hold_seconds=round(patience.total_seconds()),
        stalled_at=None if told is None else NOW - told,
        deaths=0,
        revoked=revoked,
    )


def test_who_beats_and_moves_is_well() -> None:
    assert judge(pulse(), NOW) is Verdict.WELL


def test_who_does_not_beat_is_lost_whatever_it_said_before() -> None:
    silent = LOST + SECOND

    assert judge(pulse(beat=LOST), NOW) is Verdict.WELL
    assert judge(pulse(beat=silent), NOW) is Verdict.LOST
    assert judge(pulse(beat=silent, status=RunStatus.WAITING), NOW) is Verdict.LOST
    assert judge(pulse(revoked=True), NOW) is Verdict.LOST


def test_a_provider_that_lets_us_wait_for_two_hours_is_no_standstill() -> None:
    for still in (MINUTE, HOUR, 2 * HOUR, 24 * HOUR):
        assert judge(pulse(still=still, status=RunStatus.WAITING), NOW) is Verdict.WAITING


def test_a_loop_that_is_blocked_for_ten_minutes_is_busy_and_not_restarted() -> None:
    for minutes in range(3, 11):
        span = minutes * MINUTE

        assert judge(pulse(still=span, lag=span, told=span), NOW) is Verdict.BUSY


def test_a_loop_that_never_comes_back_is_left_behind() -> None:
    for_ever = BLOCKED + SECOND

    assert judge(pulse(still=for_ever, lag=for_ever, told=HOUR), NOW) is Verdict.TAKEN


def test_a_wedge_is_told_then_asked_then_taken() -> None:
    verdicts = [judge(pulse(still=HOUR, told=s * SECOND), NOW) for s in range(0, 100, 5)]

    assert list(dict.fromkeys(verdicts)) == [Verdict.STALLED, Verdict.ASKED, Verdict.TAKEN]


def test_who_was_asleep_for_an_hour_is_told_before_anything_else() -> None:
    assert judge(pulse(still=HOUR), NOW) is Verdict.STALLED


@pytest.mark.parametrize("patience", [15 * MINUTE, HOUR])
def test_a_step_may_take_as_long_as_it_says(patience: timedelta) -> None:
    assert judge(pulse(still=patience, patience=patience), NOW) is Verdict.WELL
    assert judge(pulse(still=patience + SECOND, patience=patience), NOW) is Verdict.STALLED
