"""Reading a list that is ordered by its dates of change, while it changes. No I/O.

The next page is asked for by the date that the last one came to, not by its number: what is touched
meanwhile moves to the end of the list, where it is still to come, and nothing else moves out of
sight. Only among many things of one and the same second are pages counted; then that second is
read again until a whole look at it finds nothing new.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.github.config import Feed

OVERLAP = timedelta(seconds=60)
"""What a later read looks back: a change may come to light later than its date says."""

_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Dated:
    number: int
    updated_at: datetime


@dataclass(slots=True)
class Keyset:
    """Give it each page as it comes; it says what of it is new, and what to ask for next.

    ``since`` and ``page`` are what to ask for; ``over`` is when there is nothing more.
    """

    since: datetime | None
    told: dict[int, datetime] = field(default_factory=dict[int, datetime])
    page: int = 1
    over: bool = False
    floor: datetime | None = None
    """What is older was told before this reading began."""

    _news: bool = False

    @classmethod
    def of(cls, feed: Feed) -> "Keyset":
        moment = feed.since
        told = dict.fromkeys(feed.told, moment) if moment else {}
        return cls(moment, told, floor=moment)

    def take(self, items: Sequence[Dated], *, more: bool) -> list[Dated]:
        """``more``: the list goes on after this page."""
        new = self.look(items)
        self._news |= any(item.updated_at == self.since for item in new)
        last = max((item.updated_at for item in items), default=self.since)
        beyond = last is not None and (self.since is None or last > self.since)
        settled = self.page == 1 or not self._news
        if beyond and settled:
            self.since, self.over = last, not more
            self._begin()
        elif more and not beyond:
            self.page += 1
        elif settled:
            self.over = True
        else:
            self._begin()
        return new

    def look(self, items: Sequence[Dated]) -> list[Dated]:
        """Which of these were not told yet, wherever in the list they are."""
        new = [item for item in items if self._is_new(item)]
        self.told.update({item.number: item.updated_at for item in new})
        return new

    def place(self) -> Feed:
        """Where a read that is broken off now goes on."""
        at = [number for number, moment in self.told.items() if moment == self.since]
        return Feed(since=self.since, told=tuple(sorted(at)[-_REMEMBERED:]))

    def _begin(self) -> None:
        self.page, self._news = 1, False

    def _is_new(self, item: Dated) -> bool:
        if self.floor is not None and item.updated_at < self.floor:
            return False
        before = self.told.get(item.number)
        return before is None or item.updated_at > before


def finished(since: datetime | None) -> datetime | None:
    """Where the next read begins, after one that came to its end."""
    return since - OVERLAP if since else None
