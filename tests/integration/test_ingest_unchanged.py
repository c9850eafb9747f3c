"""A source in which nothing has changed: its pages cost little, and each is counted once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

from sqlalchemy import event

from connectors.artifact import PartitionKey
from connectors.errors import SourceUnavailable
from connectors.events import Cursor, Upsert
from connectors.events import Event as Said
from connectors.memory import MemoryConnector
from storage.database import Database
from storage.events import RunStatus
from tests.ingesting import notes, open_house

MANY = tuple(f"note {number:03}" for number in range(250))
PAGES = 125


class Breaking(MemoryConnector):
    """Breaks off once, in the middle of the listing, when it is told to."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Said]:
        async for said in MemoryConnector.read(self, partition, cursor):
            if self.source.blind and isinstance(said, Upsert) and said.artifact.title > MANY[200]:
                self.source.blind = False
                raise SourceUnavailable("a page is torn", retry_after=timedelta(0))
            yield said


async def test_pages_in_which_nothing_has_changed_are_committed_together(
    database: Database,
) -> None:
    _, spec = notes(*MANY, connector=partial(MemoryConnector, page=len(MANY) // PAGES))
    saved: list[str] = []

    def note(*said: object) -> None:
        saved.extend(each for each in map(str, said) if each.startswith("INSERT INTO partitions"))

    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        event.listen(database.writer.sync_engine, "before_cursor_execute", note)

        again = await house.ingest(connection)

    assert again.counts.unchanged == 250
    assert 0 < len(saved) < PAGES / 2


async def test_a_listing_that_breaks_off_among_unchanged_pages_counts_none_of_them_twice(
    database: Database,
) -> None:
    source, spec = notes(*MANY, connector=Breaking)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.blind = True

        again = await house.ingest(connection)

    assert again.status is RunStatus.SUCCEEDED
    assert not source.blind
    assert (again.counts.found, again.counts.unchanged) == (250, 250)
