"""Which runs an owner's page shows, in both databases."""

from storage import cards, connections, runs
from storage.connections import Connection
from storage.database import Database
from storage.events import EventKind
from storage.ids import RunId, TenantId
from tests.asked import claimed, event, recorded


async def connected(database: Database, tenant: TenantId, owner: str, path: str) -> Connection:
    async with database.transaction() as tx:
        made, _ = await connections.connect(
            tx, tenant, owner=owner, kind="local", title=path, config={"path": path}
        )
    return made


async def ingested(database: Database, connection: Connection, *, over: bool) -> RunId:
    async with database.transaction() as tx:
        run, _ = await runs.request(
            tx, connection.tenant, connection=connection, workflow="ingest", input={}
        )
    if over:
        await claimed(database, "w")
        await recorded(database, run.id, event(EventKind.SUCCEEDED))
    return run.id


async def briefed(database: Database, connection: Connection) -> RunId:
    async with database.transaction() as tx:
        run = await runs.ask(
            tx,
            connection.tenant,
            workflow="brief",
            title="Brief",
            input={},
            connection=connection.id,
        )
    return run.id


async def shown(database: Database, tenant: TenantId, owner: str) -> list[RunId]:
    async with database.reading() as tx:
        found = await cards.of_owners(tx, tenant, [owner, "nobody"])
    assert found["nobody"] == []
    return [card.run for card in found[owner]]


async def test_a_connection_shows_its_latest_ingestion(
    database: Database, tenant: TenantId
) -> None:
    notes, mail = [await connected(database, tenant, "ada", path) for path in ("/notes", "/mail")]
    await ingested(database, notes, over=True)
    latest = [await ingested(database, each, over=True) for each in (notes, mail)]

    assert await shown(database, tenant, "ada") == latest[::-1]


async def test_what_else_is_unfinished_is_shown_until_it_is_over(
    database: Database, tenant: TenantId
) -> None:
    notes = await connected(database, tenant, "ada", "/notes")
    ingestion = await ingested(database, notes, over=True)
    brief = await briefed(database, notes)

    during = await shown(database, tenant, "ada")
    await claimed(database, "w")
    await recorded(database, brief, event(EventKind.SUCCEEDED))

    assert during == [brief, ingestion]
    assert await shown(database, tenant, "ada") == [ingestion]


async def test_nobody_sees_the_runs_of_another_owner_or_tenant(
    database: Database, tenant: TenantId, other_tenant: TenantId
) -> None:
    mine = await connected(database, tenant, "ada", "/notes")
    await ingested(database, mine, over=False)
    await connected(database, tenant, "bob", "/notes")

    assert await shown(database, tenant, "bob") == []
    assert await shown(database, other_tenant, "ada") == []
