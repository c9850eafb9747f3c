"""How often something is due: a cron expression in a time zone, or an interval. No I/O.

Days on which clocks change count like any other: an hour that does not exist is made up for when
the clock jumps, and one that exists twice counts once (as Debian's cron does it).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from storage.errors import ScheduleInvalid

LEAST = timedelta(minutes=1)
MOST = timedelta(days=366)
MOST_JITTER = timedelta(hours=1)
COUNTED = 1_000
"""Ticks that were missed are counted up to this many: after a year away, nobody reads more."""

_FIELDS = 5
_SAMPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """Either ``cron`` with its ``time_zone``, or ``interval``."""

    cron: str | None = None
    time_zone: str = "UTC"
    interval: timedelta | None = None
    jitter: timedelta = timedelta()
    """Ticks come up to so much later, each by an amount that is its own and stays the same."""

    def check(self, now: datetime) -> None:
        """Raise ``ScheduleInvalid``, saying what is wrong, unless it can be kept."""
        _zone(self.time_zone)
        if (self.cron is None) == (self.interval is None):
            raise ScheduleInvalid("Give either `cron` or `interval_seconds`.")
        if self.interval is not None and not LEAST <= self.interval <= MOST:
            raise ScheduleInvalid("An interval is between a minute and 366 days.")
        if not timedelta() <= self.jitter <= MOST_JITTER:
            raise ScheduleInvalid("The jitter is between 0 and 3600 seconds.")
        coming = list(islice(self.ticks(now, anchor=now), _SAMPLE))
        if not coming:
            raise ScheduleInvalid(f"The cron expression {self.cron!r} never comes to a tick.")
        if any(later - tick <= self.jitter for tick, later in pairwise(coming)):
            raise ScheduleInvalid("The jitter is longer than the time between two ticks.")

    def ticks(self, after: datetime, *, anchor: datetime) -> Iterator[datetime]:
        """Every tick after this moment, in UTC. Intervals are counted from the anchor."""
        if self.interval is not None:
            number = (after - anchor) // self.interval + 1
            while True:
                yield anchor + number * self.interval
                number += 1
        for tick in self._cron(after):
            # In an hour that exists twice, a local time may be one that is over.
            if tick > after:
                yield tick

    def next(self, after: datetime, *, anchor: datetime) -> datetime:
        return next(self.ticks(after, anchor=anchor))

    def latest(self, due: datetime, now: datetime, *, anchor: datetime) -> tuple[datetime, int]:
        """The last tick up to now, of those from ``due`` on, and how many of them were before it.

        The number stops at ``COUNTED``.
        """
        if self.interval is not None:
            last = anchor + (now - anchor) // self.interval * self.interval
            return max(last, due), min(max(0, (last - due) // self.interval), COUNTED)
        later = takewhile(lambda tick: tick <= now, self.ticks(due, anchor=anchor))
        passed = list(islice(later, COUNTED + 1))
        if len(passed) <= COUNTED:
            return (passed or [due])[-1], len(passed)
        backwards = self._cron(now + timedelta(seconds=1), reverse=True)
        return next(tick for tick in backwards if tick <= now), COUNTED

    def delay(self, due: datetime, key: bytes) -> timedelta:
        """By how much this tick of whatever the key names comes later."""
        seed = hashlib.sha256(key + due.isoformat().encode()).digest()
        return self.jitter * (int.from_bytes(seed[:4]) / 2**32)

    def _cron(self, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
        expression = self.cron or ""
        if len(expression.split()) != _FIELDS:
            raise ScheduleInvalid(
                f"The cron expression {expression!r} is not of five fields: "
                "minute, hour, day of the month, month, day of the week."
            )
        local = start.astimezone(_zone(self.time_zone))
        try:
            for tick in CronSim(expression, local, reverse=reverse):
                yield tick.astimezone(UTC)
        except CronSimError as error:
            raise ScheduleInvalid(
                f"The cron expression {expression!r} is wrong: {error}."
            ) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ScheduleInvalid(
            f"There is no time zone {name!r}.",
            action="Name one of the IANA database, such as Europe/Paris or UTC.",
        ) from None
