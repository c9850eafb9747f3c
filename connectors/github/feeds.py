"""Lists over REST that are ordered by their dates of change: issues, comments."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.errors import SourceUnavailable
from connectors.github import keyset, protocol
from connectors.github.config import Feed
from connectors.github.keyset import Dated, Keyset
from connectors.github.protocol import Answer
from connectors.github.session import Session

Fields = Mapping[str, Any]
"""One thing as REST lists it."""

_CLOSING_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """``number`` is the field that tells the things apart."""

    session: Session
    path: str
    number: str
    page: int = 100

    async def look(self, since: datetime | None, page: int, etag: str | None = None) -> Answer:
        query: dict[str, object] = {"sort": "updated", "direction": "asc", "per_page": self.page}
        if since is not None:
            query["since"] = protocol.stamp(since)
        if page > 1:
            query["page"] = page
        if self.number == "number":
            query["state"] = "all"
        return await self.session.get(self.path, query, etag=etag)

    def dated(self, fields: Iterable[Fields]) -> list[Dated]:
        return [Dated(int(each[self.number]), _date(each)) for each in fields]


@dataclass(slots=True)
class Reading:
    """A list read from a place to its end, while it changes.

    ``place`` is where to go on, at any time. ``unchanged``: the source said so. ``pages_ahead`` is
    how many pages the first answer told of.
    """

    listing: Listing
    place: Feed
    unchanged: bool = False
    pages_ahead: int = 1
    _sweep: Keyset = field(init=False)

    def __post_init__(self) -> None:
        self._sweep = Keyset.of(self.place)

    async def pages(self) -> AsyncGenerator[Sequence[Fields]]:
        """Yield what is new of each page; after the last, the place can be asked for by etag."""
        sweep, etag = self._sweep, self.place.etag
        first = True
        while not sweep.over:
            answer = await self.listing.look(sweep.since, sweep.page, etag)
            if answer.unchanged:
                self.unchanged = True
                return
            if first:
                self.pages_ahead, first, etag = protocol.last_page(answer.headers), False, None
            more = protocol.next_url(answer.headers) is not None
            found = answer.listed()
            new = {item.number for item in sweep.take(self.listing.dated(found), more=more)}
            self.place = sweep.place()
            yield self._picked(found, new)
        async for page in self._closing():
            yield page

    async def _closing(self) -> AsyncGenerator[Sequence[Fields]]:
        """Look again from where the next reading will begin, until that finds nothing new.

        That finds what came in since the last page, and gives the etag of the next reading's first
        request: an etag is only good for the very same question.
        """
        since = keyset.finished(self._sweep.since)
        self.place = Feed(since=since)
        for _ in range(_CLOSING_LOOKS):
            answer = await self.listing.look(since, 1)
            found = answer.listed()
            new = {item.number for item in self._sweep.look(self.listing.dated(found))}
            if not new:
                # A page that goes on says nothing about what is behind it.
                whole = protocol.next_url(answer.headers) is None
                self.place = Feed(since=since, etag=answer.etag if whole else None)
                return
            yield self._picked(found, new)

    def _picked(self, found: Sequence[Fields], numbers: set[int]) -> list[Fields]:
        picked = {int(each[self.listing.number]): each for each in found}
        return [each for number, each in picked.items() if number in numbers]


def _date(fields: Fields) -> datetime:
    date = protocol.when(fields.get("updated_at"))
    if date is None:
        raise SourceUnavailable("GitHub listed something without a date")
    return date
