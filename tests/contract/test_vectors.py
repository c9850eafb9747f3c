"""What only one database does to find the nearest vectors."""

from uuid import uuid4

import pytest

from storage import chunks, connections
from storage.connections import Connection
from storage.database import Database
from storage.embedding import MODEL, Vectors
from storage.ids import TenantId
from storage.search import vectors_postgres
from storage.search.scope import Scope
from storage.search.vectors_sqlite import CHURN_AT_LEAST, Matrices
from tests.indexed import Library
from tests.marks import on_postgresql, on_sqlite

TEXT = "The train to the mountains leaves the station at seven."


@pytest.fixture
def library(connection: Connection) -> Library:
    return Library(connection)


@pytest.fixture
def query(library: Library) -> Vectors:
    vector: Vectors = library.embedder.embed([TEXT])[0]
    return vector


@on_postgresql
async def test_the_index_finds_what_an_exact_search_finds(
    database: Database, library: Library, query: Vectors
) -> None:
    async with database.transaction() as tx:
        for number in range(20):
            await library.add(tx, f"{number}.md", *(f"{TEXT} {number} {n}" for n in range(20)))
    scope = Scope(library.connection.tenant)

    async with database.reading() as tx:
        exact = await vectors_postgres.nearest(tx, scope, query, limit=20)
        indexed = await vectors_postgres.nearest(tx, scope, query, limit=20, exact_at_most=0)

    assert len(exact) == 20
    assert len(set(exact) & set(indexed)) >= 18


@on_postgresql
async def test_the_index_passes_by_the_chunks_of_others(
    database: Database, library: Library, query: Vectors, tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        other, _ = await connections.connect(
            tx, tenant, owner="someone", kind="local", title="More", config={"path": "/more"}
        )
        await library.add(tx, "near.md", *[TEXT] * 600)
        far = await Library(other, library.embedder).add(tx, "far.md", "Bread is baked.", "Rye.")

    async with database.reading() as tx:
        scope = Scope(tenant, frozenset({other.id}))
        found = await vectors_postgres.nearest(tx, scope, query, limit=2, exact_at_most=0)

    assert {candidate.artifact for candidate in found} == {far}


@on_sqlite
async def test_the_memory_of_what_was_deleted_is_given_back(
    database: Database, library: Library, query: Vectors
) -> None:
    async with database.transaction() as tx:
        await library.add(tx, "kept.md", TEXT)
        gone = await library.add(tx, "gone.md", *[TEXT] * (CHURN_AT_LEAST * 2))
    matrices = Matrices(MODEL)
    scope = Scope(library.connection.tenant)
    async with database.reading() as tx:
        await matrices.nearest(tx, scope, query, limit=10)

    async with database.transaction() as tx:
        await chunks.delete_of(tx, [gone])
    async with database.reading() as tx:
        found = await matrices.nearest(tx, scope, query, limit=10)

    assert len(found) == 1
    assert matrices.kept[scope.tenant].matrix.size == 1


@on_sqlite
async def test_tenants_who_searched_longest_ago_are_forgotten_first(
    database: Database, library: Library, query: Vectors, other_tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        theirs, _ = await connections.connect(
            tx, other_tenant, owner="other", kind="local", title="Theirs", config={}
        )
        await library.add(tx, "mine.md", TEXT)
        await Library(theirs, library.embedder).add(tx, "theirs.md", TEXT)
    matrices = Matrices(MODEL, numbers_at_most=1)

    async with database.reading() as tx:
        mine = await matrices.nearest(tx, Scope(library.connection.tenant), query, limit=10)
        other = await matrices.nearest(tx, Scope(other_tenant), query, limit=10)

    assert (len(mine), len(other)) == (1, 1)
    assert set(matrices.kept) == {other_tenant}


@on_sqlite
async def test_nobody_s_tenant_has_no_vectors(database: Database, query: Vectors) -> None:
    async with database.reading() as tx:
        found = await Matrices(MODEL).nearest(tx, Scope(TenantId(uuid4())), query, limit=10)

    assert found == []
