"""What was ingested, for components that make something of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from storage import artifacts
from storage.artifacts import ArtifactRow
from storage.database import Database
from storage.ids import ConnectionId, TenantId

LOOKED_AT = 500
"""Of so many the weightiest are chosen: how much one weighs is known only once it was read."""

_WITHOUT_A_MODEL = 2  # on the scale of 1 to 5 by which a model weighs


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An artifact and what was read in it. ``importance`` is from 1 to 5."""

    id: int
    title: str
    path: str | None
    url: str | None
    kind: str
    summary: str
    facts: tuple[str, ...]
    importance: int


class Library(Protocol):
    async def weightiest(self, connection: ConnectionId, *, limit: int) -> Sequence[Book]:
        """What matters most in a connection, that first; empty where nothing can be searched."""
        ...

    async def size(self, connection: ConnectionId) -> int:
        """How many artifacts can be searched."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryLibrary:
    """The books it was given, whatever the connection: for tests."""

    books: tuple[Book, ...] = ()

    async def weightiest(self, connection: ConnectionId, *, limit: int) -> Sequence[Book]:  # noqa: ARG002  # see above
        return self.books[:limit]

    async def size(self, connection: ConnectionId) -> int:  # noqa: ARG002  # see above
        return len(self.books)


@dataclass(frozen=True, slots=True)
class SqlLibrary:
    database: Database
    tenant: TenantId

    async def weightiest(self, connection: ConnectionId, *, limit: int) -> Sequence[Book]:
        async with self.database.reading() as tx:
            rows = await artifacts.useful(tx, self.tenant, connection, limit=LOOKED_AT)
        # Sorting is stable: among equals, what the connector holds for useful stays first.
        return sorted(map(_book, rows), key=lambda book: -book.importance)[:limit]

    async def size(self, connection: ConnectionId) -> int:
        async with self.database.reading() as tx:
            return await artifacts.searchable(tx, connection)


def _book(row: ArtifactRow) -> Book:
    reading: Mapping[str, Any] = row.reading or {}
    return Book(
        id=row.id,
        title=str(reading.get("title") or row.title),
        path=row.path,
        url=row.url,
        kind=str(reading.get("kind") or row.kind),
        summary=str(reading.get("summary") or ""),
        facts=tuple(str(each["statement"]) for each in reading.get("facts", ())),
        importance=int(reading.get("importance") or _WITHOUT_A_MODEL),
    )
