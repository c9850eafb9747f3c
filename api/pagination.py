"""One page of a list, as a client asks for it. Every list is asked for in the same words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from api.places import Cursors
from api.services import Handed

LIMIT_MOST = 200
Limit = Annotated[int, Query(ge=1, le=LIMIT_MOST, description="How many at most")]
PageCursor = Annotated[
    str | None, Query(max_length=512, description="`next_cursor` of the page before")
]
Row = TypeVar("Row")
Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Paging:
    """``listing``, wherever it is asked for, names the list with its filters."""

    cursors: Cursors
    limit: int
    cursor: str | None

    @property
    def more(self) -> int:
        """How many rows to read: one more than the page holds tells whether there is another."""
        return self.limit + 1

    def after(self, listing: str, make: Callable[[UUID], Place]) -> Place | None:
        """The id that the page before ended with; None for the first page."""
        return self.place(listing, lambda text: make(UUID(text)))

    def place(self, listing: str, read: Callable[[str], Place]) -> Place | None:
        """The same for a list whose places are no ids."""
        return None if self.cursor is None else read(self.cursors.open(listing, self.cursor))

    def cut(
        self, listing: str, rows: Sequence[Row], place: Callable[[Row], object]
    ) -> tuple[Sequence[Row], str | None]:
        """The page out of the rows, and the cursor of the next one if there is one."""
        if len(rows) <= self.limit:
            return rows, None
        some = rows[: self.limit]
        return some, self.cursors.seal(listing, place(some[-1]))


async def _paging(services: Handed, limit: Limit = 50, cursor: PageCursor = None) -> Paging:
    return Paging(services.cursors, limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
