"""Connecting a source, on both databases."""

from storage import connections
from storage.connections import Connection
from storage.database import Database
from storage.ids import TenantId


async def test_connecting_the_same_source_twice_gives_the_same_connection(
    database: Database, tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        first, created = await connections.connect(
            tx, tenant, owner="ann", kind="local", title="A", config={"path": "/a", "depth": 1}
        )
    async with database.transaction() as tx:
        second, created_again = await connections.connect(
            tx, tenant, owner="ann", kind="local", title="B", config={"depth": 1, "path": "/a"}
        )

    assert first == second
    assert (created, created_again) == (True, False)


async def test_another_owner_or_configuration_is_another_connection(
    database: Database, tenant: TenantId, connection: Connection
) -> None:
    given = {"kind": connection.kind, "title": "", "owner": connection.owner}

    async with database.transaction() as tx:
        by_owner, _ = await connections.connect(
            tx, tenant, **(given | {"owner": "ann"}), config=connection.config
        )
        by_config, _ = await connections.connect(tx, tenant, **given, config={"path": "/b"})

    assert len({connection.id, by_owner.id, by_config.id}) == 3


async def test_a_connection_is_read_back_as_it_was_made(
    database: Database, tenant: TenantId, connection: Connection
) -> None:
    async with database.reading() as tx:
        read = await connections.get(tx, tenant, connection.id)

    assert read == connection


async def test_another_tenant_sees_nothing_of_a_connection(
    database: Database, other_tenant: TenantId, connection: Connection
) -> None:
    async with database.reading() as tx:
        assert await connections.get(tx, other_tenant, connection.id) is None
        assert await connections.page(tx, other_tenant, owner=None, after=None, limit=10) == []


async def test_pages_show_each_connection_once_the_newest_first(
    database: Database, tenant: TenantId
) -> None:
    made = []
    async with database.transaction() as tx:
        for number in range(5):
            one, _ = await connections.connect(
                tx, tenant, owner="ann", kind="local", title="", config={"n": number}
            )
            made.append(one)

    async with database.reading() as tx:
        first = await connections.page(tx, tenant, owner="ann", after=None, limit=3)
        second = await connections.page(tx, tenant, owner="ann", after=first[-1].id, limit=3)

    assert first + second == made[::-1]


async def test_a_page_can_be_of_one_owner(
    database: Database, tenant: TenantId, connection: Connection
) -> None:
    async with database.reading() as tx:
        theirs = await connections.page(tx, tenant, owner="someone", after=None, limit=10)
        others = await connections.page(tx, tenant, owner="nobody", after=None, limit=10)

    assert theirs == [connection]
    assert others == []
