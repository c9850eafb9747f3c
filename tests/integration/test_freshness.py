"""How fresh a connection is, and what its last run changed."""

from datetime import timedelta

from storage import freshness, schedules
from storage.connections import Connection
from storage.database import Database
from storage.freshness import Freshness
from storage.ids import LOCAL_TENANT
from storage.schedules import Cadence
from tests.ingesting import notes, open_house


async def fresh(database: Database, connection: Connection) -> Freshness:
    async with database.reading() as tx:
        return await freshness.of_connection(tx, LOCAL_TENANT, connection.id)


async def test_what_the_last_run_changed_is_told_apart(database: Database) -> None:
    source, spec = notes("ant", "bee", "cat", "dog")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        before = await fresh(database, connection)
        first = await house.ingest(connection)
        begun = await fresh(database, connection)
        source.notes["bee"] = b"This note is about something else."
        del source.notes["cat"]
        source.notes |= {"elk": b"This note is new.", "fox": b"This note is new, too."}
        async with database.transaction() as tx:
            kept = await schedules.put(tx, connection, Cadence(interval=timedelta(hours=6)))

        again = await house.ingest(connection)
        after = await fresh(database, connection)

    assert (before.succeeded_at, before.last, before.next_at) == (None, None, None)
    assert (begun.added, begun.updated) == (4, 0)
    assert begun.last is not None
    assert begun.last.id == first.id
    assert (after.added, after.updated) == (2, 1)
    assert after.last is not None
    assert (after.last.id, after.last.counts.deleted, after.last.counts.unchanged) == (
        again.id,
        1,
        2,
    )
    assert after.succeeded_at == again.finished_at
    assert after.next_at == kept.next_at
