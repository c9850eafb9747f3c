"""When something is due: at no moment twice, on no day too often, and never for nonsense."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import ScheduleInvalid
from storage.schedules import Cadence
from storage.schedules.cadence import COUNTED

NOW = datetime(2026, 11, 25, 9, 30, 12, 345, tzinfo=UTC)
DAY = timedelta(days=1)
SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the clocks of Paris jump in the night that follows
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)


def ticks(cadence: Cadence, after: datetime, until: datetime) -> list[datetime]:
    return list(takewhile(lambda tick: tick <= until, cadence.ticks(after, anchor=after)))


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_a_nightly_tick_comes_once_in_the_nights_that_change_the_clocks(start: datetime) -> None:
    nightly = Cadence(cron="30 2 * * *", time_zone="Europe/Paris")

    assert len(ticks(nightly, start, start + DAY)) == 1


@pytest.mark.parametrize(("start", "hours"), [(SPRING, 24), (AUTUMN, 24)])
def test_an_hourly_tick_comes_every_hour_whatever_the_clocks_say(
    start: datetime, hours: int
) -> None:
    hourly = Cadence(cron="0 * * * *", time_zone="Europe/Paris")

    assert len(ticks(hourly, start, start + DAY)) == hours


def test_in_the_hour_that_comes_twice_nothing_is_due_that_was_due_before() -> None:
    nightly = Cadence(cron="30 2 * * *", time_zone="Europe/Paris")
    second_time = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 in Paris, again

    due = nightly.next(second_time, anchor=second_time)

    assert due == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_an_interval_is_counted_from_its_anchor() -> None:
    quarter = Cadence(interval=timedelta(minutes=15))

    assert quarter.next(NOW + timedelta(hours=5, seconds=1), anchor=NOW) == NOW + timedelta(
        hours=5, minutes=15
    )


@pytest.mark.parametrize(
    "cadence",
    [
        Cadence(cron="*/20 * * * *", time_zone="Europe/Paris"),
        Cadence(interval=timedelta(minutes=7)),
    ],
)
@settings(max_examples=30, deadline=None)
@given(away=st.integers(min_value=0, max_value=3 * 24 * 60))
def test_what_was_missed_and_the_last_of_it_are_all_that_was_due(
    cadence: Cadence, away: int
) -> None:
    due = cadence.next(AUTUMN, anchor=AUTUMN)
    now = due + timedelta(minutes=away)
    expected = [due, *ticks(cadence, due, now)]

    last, missed = cadence.latest(due, now, anchor=AUTUMN)

    assert last == expected[-1]
    # an interval is counted from the anchor, ticks() above from ``due``: the same moments
    assert missed == len(expected) - 1


@pytest.mark.parametrize(
    "cadence", [Cadence(cron="* * * * *"), Cadence(interval=timedelta(minutes=1))]
)
def test_years_away_are_counted_to_a_thousand_and_end_at_the_last_tick(cadence: Cadence) -> None:
    due = cadence.next(NOW, anchor=NOW)
    now = due + 800 * DAY

    last, missed = cadence.latest(due, now, anchor=NOW)

    assert missed == COUNTED
    assert timedelta() <= now - last < timedelta(minutes=1)


@given(due=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)))  # noqa: DTZ001  # hypothesis wants them so
@settings(max_examples=30, deadline=None)
def test_jitter_is_within_its_bounds_and_the_same_each_time(due: datetime) -> None:
    cadence = Cadence(cron="0 * * * *", jitter=timedelta(minutes=5))
    tick = due.replace(tzinfo=UTC)

    delay = cadence.delay(tick, b"a connection")

    assert timedelta() <= delay < timedelta(minutes=5)
    assert delay == cadence.delay(tick, b"a connection")
    assert delay != cadence.delay(tick, b"another one")


@pytest.mark.parametrize(
    ("cadence", "complaint"),
    [
        (Cadence(), "either"),
        (Cadence(cron="0 * * * *", interval=timedelta(hours=1)), "either"),
        (Cadence(cron="61 * * * *"), "wrong: Bad minute"),
        (Cadence(cron="* * * * * *"), "five fields"),
        (Cadence(cron="@daily"), "five fields"),
        (Cadence(cron=""), "five fields"),
        (Cadence(cron="0 0 30 2 *"), "Bad day"),
        (Cadence(cron="0 6 * * *", time_zone="Europe/Atlantis"), "time zone 'Europe/Atlantis'"),
        (Cadence(cron="0 6 * * *", time_zone="../../etc/passwd"), "time zone"),
        (Cadence(cron="0 6 * * *", time_zone="Europe"), "time zone"),
        (Cadence(cron="0 6 * * *", time_zone=""), "time zone"),
        (Cadence(interval=timedelta(seconds=59)), "a minute"),
        (Cadence(interval=timedelta(seconds=-5)), "a minute"),
        (Cadence(interval=timedelta(days=4_000)), "366 days"),
        (Cadence(interval=timedelta(hours=5), jitter=timedelta(hours=2)), "3600"),
        (Cadence(interval=timedelta(hours=5), jitter=timedelta(seconds=-1)), "3600"),
        (Cadence(cron="*/5 * * * *", jitter=timedelta(minutes=5)), "between two ticks"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_is_wrong(
    cadence: Cadence, complaint: str
) -> None:
    with pytest.raises(ScheduleInvalid, match=complaint) as refusal:
        cadence.check(NOW)

    assert refusal.value.action
