"""One index serves, another is made beside it, and takes over when it lacks nothing."""

import asyncio

import numpy as np
import pytest
from sqlalchemy import func, select

from storage import chunks, indexes
from storage.connections import Connection
from storage.database import Database
from storage.embedding import Vectors, pack
from storage.ids import ChunkId, TenantId
from storage.indexes import LOCAL, Index, Lacking
from storage.search import Searcher, vectors_postgres
from storage.search.scope import Scope
from storage.tables import embeddings
from tests.indexed import Library
from tests.marks import on_postgresql

OTHER = Index("an/other:model's", 8)


@pytest.fixture
async def library(database: Database, connection: Connection) -> Library:
    library = Library(connection)
    async with database.transaction() as tx:
        await library.add(tx, "a.md", "ant", "bee")
        await library.add(tx, "b.md", "cat")
    return library


def vector(*numbers: float) -> bytes:
    [packed] = pack(np.array([[*numbers, *[0.0] * (8 - len(numbers))]], dtype=np.float32))
    assert packed is not None
    return packed


async def fill(database: Database, index: Index = OTHER, *, keep_back: int = 0) -> list[Lacking]:
    """All but the last so many. Answers all that lacked."""
    async with database.transaction() as tx:
        lacking = await indexes.lacking(tx, index, after=ChunkId(0), limit=100)
        filled = lacking[: len(lacking) - keep_back]
        await indexes.add(tx, index, {each: vector(1, n) for n, each in enumerate(filled)})
    return lacking


async def models(database: Database) -> dict[str, int]:
    counted = select(embeddings.c.model, func.count()).group_by(embeddings.c.model)
    async with database.reading() as tx:
        rows = (await tx.execute(counted)).all()
    return {row[0]: row[1] for row in rows}


async def test_the_index_that_needs_no_key_serves_at_first(database: Database) -> None:
    async with database.transaction() as tx:
        assert await indexes.serving(tx) == await indexes.held(tx) == LOCAL


async def test_what_an_index_lacks_is_told_in_order_with_its_text(
    database: Database, library: Library
) -> None:
    async with database.reading() as tx:
        first = await indexes.lacking(tx, OTHER, after=ChunkId(0), limit=2)
        rest = await indexes.lacking(tx, OTHER, after=first[-1].chunk, limit=2)
        none = await indexes.lacking(tx, LOCAL, after=ChunkId(0), limit=2)

    assert [each.text for each in (*first, *rest)] == ["a.md\nant", "a.md\nbee", "b.md\ncat"]
    assert none == []


async def test_an_index_does_not_serve_while_it_lacks_something(
    database: Database, library: Library
) -> None:
    lacking = await fill(database, keep_back=1)

    async with database.transaction() as tx:
        early = await indexes.take_over(tx, OTHER, without=[])
        before = await indexes.serving(tx)
        excused = await indexes.take_over(tx, OTHER, without=[lacking[-1].chunk])
        after = await indexes.serving(tx)

    assert (early, before) == (False, LOCAL)
    assert (excused, after) == (True, OTHER)


async def test_the_vectors_of_others_go_when_it_serves(
    database: Database, library: Library
) -> None:
    await fill(database)

    async with database.transaction() as tx:
        await indexes.take_over(tx, OTHER, without=[])
        dropped = await indexes.drop_others(tx, OTHER)
        left = await indexes.drop_others(tx, OTHER)

    assert (dropped, left) == (3, 0)
    assert await models(database) == {OTHER.model: 3}


async def test_a_chunk_that_is_gone_and_one_that_is_there_twice_do_no_harm(
    database: Database, library: Library
) -> None:
    lacking = await fill(database)
    async with database.transaction() as tx:
        artifact = await library.add(tx, "c.md", "dog")
        [gone] = await indexes.lacking(tx, OTHER, after=lacking[-1].chunk, limit=9)
        await chunks.delete_of(tx, [artifact])

    async with database.transaction() as tx:
        await indexes.add(tx, OTHER, {gone: vector(1), lacking[0]: vector(1)})

    assert await models(database) == {LOCAL.model: 3, OTHER.model: 3}


@on_postgresql
async def test_an_index_waits_for_those_who_write_into_the_one_before(
    database: Database, library: Library
) -> None:
    await fill(database)

    async def take_over() -> bool:
        async with database.transaction() as tx:
            return await indexes.take_over(tx, OTHER, without=[])

    async with database.transaction() as tx:
        assert await indexes.held(tx) == LOCAL
        taking = asyncio.create_task(take_over())
        await library.add(tx, "late.md", "written for the index before")

    assert not await taking


@on_postgresql
async def test_neighbours_are_found_in_the_index_of_the_model(
    database: Database, library: Library, tenant: TenantId
) -> None:
    await indexes.prepare(database, OTHER)
    await indexes.prepare(database, OTHER)
    lacking = await fill(database)
    query = np.array([1, 0, 0, 0, 0, 0, 0, 0], dtype=np.float32)

    async with database.reading() as tx:
        found = await vectors_postgres.nearest(
            tx, Scope(tenant), query, limit=3, index=OTHER, exact_at_most=0
        )

    assert [each.chunk for each in found] == [each.chunk for each in lacking]


class Knows:
    """Who embeds every query alike, or none."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = numbers
        self.asked: list[tuple[str, TenantId, str]] = []

    async def ask(self, model: str, tenant: TenantId, text: str) -> Vectors | None:
        self.asked.append((model, tenant, text))
        return np.array(self.numbers, dtype=np.float32) if self.numbers else None


async def test_a_search_asks_for_the_query_in_the_model_that_serves(
    database: Database, library: Library, tenant: TenantId
) -> None:
    asker = Knows(1, 2, 0, 0, 0, 0, 0, 0)
    searcher = Searcher(library.embedder, asker)
    async with database.reading() as tx:
        before = await searcher.find(tx, tenant, "something else")
    await fill(database)
    async with database.transaction() as tx:
        await indexes.take_over(tx, OTHER, without=[])

    async with database.reading() as tx:
        found = await searcher.find(tx, tenant, "something else")

    assert before.by_meaning
    assert asker.asked == [(OTHER.model, tenant, "something else")]
    assert [hit.path for hit in found.hits] == ["b.md", "a.md"]
    assert found.by_meaning


@pytest.mark.parametrize("asker", [None, Knows(), Knows(1, 2)])
async def test_a_query_that_nobody_embeds_is_searched_by_its_words(
    database: Database, library: Library, tenant: TenantId, asker: Knows | None
) -> None:
    await fill(database)
    async with database.transaction() as tx:
        await indexes.take_over(tx, OTHER, without=[])

    async with database.reading() as tx:
        found = await Searcher(library.embedder, asker).find(tx, tenant, "cat")

    assert [hit.path for hit in found.hits] == ["b.md"]
    assert not found.by_meaning
