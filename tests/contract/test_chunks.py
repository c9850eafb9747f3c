"""Chunks are swapped whole, with their vectors and their words, on both databases."""

import pytest
from sqlalchemy import func, select

from storage import chunks
from storage.connections import Connection
from storage.database import Database, Tx
from storage.embedding import MODEL, StaticEmbedder, pack
from storage.ids import ArtifactId, TenantId
from storage.tables import chunks as table
from storage.tables import embeddings
from tests.indexed import Library


@pytest.fixture
def library(connection: Connection) -> Library:
    return Library(connection)


async def texts(tx: Tx, artifact: ArtifactId) -> list[str]:
    query = select(table.c.text).where(table.c.artifact_id == artifact).order_by(table.c.ordinal)
    return list((await tx.scalars(query)).all())


async def count_of_vectors(tx: Tx) -> int:
    return (await tx.execute(select(func.count()).select_from(embeddings))).scalar_one()


async def test_chunks_are_there_in_order(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one", "two", "three")

    async with database.reading() as tx:
        assert await texts(tx, artifact) == ["one", "two", "three"]
        assert await count_of_vectors(tx) == 3


async def test_new_chunks_take_the_place_of_the_old_ones(
    database: Database, library: Library
) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one", "two", "three")

    async with database.transaction() as tx:
        await library.replace(tx, artifact, "a.md", "four")

    async with database.reading() as tx:
        assert await texts(tx, artifact) == ["four"]
        assert await count_of_vectors(tx) == 1


async def test_replacing_twice_is_the_same_as_once(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one")

    for _ in range(2):
        async with database.transaction() as tx:
            await library.replace(tx, artifact, "a.md", "two", "three")

    async with database.reading() as tx:
        assert await texts(tx, artifact) == ["two", "three"]


async def test_other_artifacts_keep_theirs(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        changed = await library.add(tx, "a.md", "one")
        other = await library.add(tx, "b.md", "two")

    async with database.transaction() as tx:
        await library.replace(tx, changed, "a.md")

    async with database.reading() as tx:
        assert await texts(tx, changed) == []
        assert await texts(tx, other) == ["two"]


async def test_many_artifacts_are_replaced_in_one_call(
    database: Database, library: Library, connection: Connection
) -> None:
    async with database.transaction() as tx:
        made = [await library.add(tx, f"{number}.md") for number in range(30)]
    new = {
        artifact: library.chunks(artifact, "x.md", *(f"{artifact} {n}" for n in range(50)))
        for artifact in made
    }

    async with database.transaction() as tx:
        await chunks.replace(tx, connection.tenant, connection.id, new, model=MODEL)

    async with database.reading() as tx:
        assert await texts(tx, made[7]) == [f"{made[7]} {n}" for n in range(50)]
        assert await count_of_vectors(tx) == 30 * 50


async def test_an_id_is_never_given_twice(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one", "two")
        before = await tx.scalar(select(func.max(table.c.id)))

    async with database.transaction() as tx:
        await library.replace(tx, artifact, "a.md")
    async with database.transaction() as tx:
        await library.replace(tx, artifact, "a.md", "three")

    async with database.reading() as tx:
        after = await tx.scalar(select(func.max(table.c.id)))
        assert before is not None
        assert after is not None
        assert after > before


async def test_what_was_rolled_back_never_was(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one")

    async def replace_and_fail() -> None:
        async with database.transaction() as tx:
            await library.replace(tx, artifact, "a.md", "two")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await replace_and_fail()

    async with database.reading() as tx:
        assert await texts(tx, artifact) == ["one"]


async def test_a_chunk_without_a_vector_is_kept(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "", "")

    async with database.reading() as tx:
        assert await texts(tx, artifact) == [""]


async def test_a_text_with_a_nul_is_kept_without_it(database: Database, library: Library) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.bin", "one\0two")

    async with database.reading() as tx:
        assert await texts(tx, artifact) == ["one\N{REPLACEMENT CHARACTER}two"]


async def test_deleted_chunks_take_their_vectors_along(
    database: Database, library: Library
) -> None:
    async with database.transaction() as tx:
        gone = await library.add(tx, "a.md", "one", "two")
        kept = await library.add(tx, "b.md", "three")

    async with database.transaction() as tx:
        await chunks.delete_of(tx, [gone])

    async with database.reading() as tx:
        assert await texts(tx, gone) == []
        assert await texts(tx, kept) == ["three"]
        assert await count_of_vectors(tx) == 1


async def test_the_vector_of_equal_content_is_known(
    database: Database, library: Library, tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one", "two")
    one, _ = library.chunks(artifact, "a.md", "one", "two")

    async with database.reading() as tx:
        known = await chunks.vectors(tx, tenant, [one.digest, "0" * 64], model=MODEL)

    assert known == {one.digest: pack(StaticEmbedder().embed(["a.md\none"]))[0]}


async def test_vectors_are_not_known_to_another_tenant_nor_for_another_model(
    database: Database, library: Library, tenant: TenantId, other_tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "a.md", "one")
    digests = [chunk.digest for chunk in library.chunks(artifact, "a.md", "one")]

    async with database.reading() as tx:
        assert await chunks.vectors(tx, other_tenant, digests, model=MODEL) == {}
        assert await chunks.vectors(tx, tenant, digests, model="another") == {}
