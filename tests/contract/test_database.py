"""What a database promises its callers, whichever one it is."""

import asyncio
from threading import enumerate as enumerate_threads

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage.clock import now, shared_now
from storage.database import Database, Tx, open_database
from storage.errors import DatabaseFull, DatabaseUnavailable
from storage.ids import new_id
from storage.tables import facts, partitions
from tests.waiting import turn

COUNTING = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "
    "SELECT count(*) FROM n"
)
SECRET = "hunter2"  # noqa: S105  # no secret: what must not be seen


async def write(tx: Tx, key: str, value: object = 1) -> None:
    await tx.execute(insert(facts).values(key=key, value=value))


async def keys(database: Database) -> set[str]:
    async with database.reading() as tx:
        return set((await tx.execute(select(facts.c.key))).scalars())


async def test_leaving_a_transaction_commits_it(database: Database) -> None:
    async with database.transaction() as tx:
        await write(tx, "kept")

    assert await keys(database) == {"kept"}


async def test_an_error_takes_the_whole_transaction_back(database: Database) -> None:
    async def fails() -> None:
        async with database.transaction() as tx:
            await write(tx, "lost")
            raise LookupError

    with pytest.raises(LookupError):
        await fails()

    assert await keys(database) == set()


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(
    database: Database,
) -> None:
    begun = asyncio.Event()

    async def never_ends() -> None:
        async with database.transaction() as tx:
            await write(tx, "lost")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ends())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    async with database.transaction() as tx:
        await write(tx, "kept")

    assert await keys(database) == {"kept"}


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable)):
        async with database.reading() as tx:
            await write(tx, "never")

    assert await keys(database) == set()


async def test_reading_sees_one_instant(database: Database) -> None:
    async with database.reading() as reading:
        before = (await reading.execute(select(facts.c.key))).all()
        async with database.transaction() as tx:
            await write(tx, "later")
        after = (await reading.execute(select(facts.c.key))).all()

    assert before == after == []
    assert await keys(database) == {"later"}


async def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    async with database.transaction() as tx:
        await write(tx, "unseen")

        assert await keys(database) == set()


async def test_many_writers_take_turns(database: Database) -> None:
    async def count() -> None:
        async with database.transaction() as tx:
            query = select(facts.c.value).where(facts.c.key == "n").with_for_update()
            value = (await tx.execute(query)).scalar_one()
            await tx.execute(facts.update().values(value=value + 1))

    async with database.transaction() as tx:
        await write(tx, "n", 0)
    await asyncio.gather(*(count() for _ in range(50)))

    async with database.reading() as tx:
        assert (await tx.execute(select(facts.c.value))).scalar_one() == 50


async def test_two_processes_can_write_to_one_database(database_url: str) -> None:
    async with open_database(database_url) as one, open_database(database_url) as two:
        for number in range(20):
            database = (one, two)[number % 2]
            async with database.transaction() as tx:
                await write(tx, f"{number}")

        assert len(await keys(one)) == 20


async def test_foreign_keys_are_enforced(database: Database) -> None:
    orphan = insert(partitions).values(
        tenant_id=new_id(), connection_id=new_id(), key="", done=False, updated_at=now()
    )

    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(orphan)


async def test_times_come_back_in_utc(database: Database) -> None:
    async with database.reading() as tx:
        there = await shared_now(tx)

    assert abs((there - now()).total_seconds()) < 5
    assert there.utcoffset() == now().utcoffset()


async def test_an_error_does_not_carry_the_values(database: Database) -> None:
    async with database.transaction() as tx:
        await write(tx, "twice")

    with pytest.raises(IntegrityError) as caught:
        async with database.transaction() as tx:
            await write(tx, "twice", SECRET)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+asyncpg://me:{SECRET}@127.0.0.1:1/headwater",
        f"postgresql+asyncpg://me:{SECRET}@/headwater?host=/nowhere",
        f"postgresql+asyncpg://me:{SECRET}@host.invalid/headwater",
        "sqlite+aiosqlite:////nowhere/headwater.db",
    ],
)
@pytest.mark.parametrize("kind", ["transaction", "reading"])
async def test_a_database_that_is_not_there_is_named_without_its_password(
    url: str, kind: str
) -> None:
    async with open_database(url) as database:
        with pytest.raises(DatabaseUnavailable) as caught:
            async with getattr(database, kind)():
                pass

    assert database.place in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "HEADWATER_DATABASE_URL" in caught.value.action


async def test_a_process_frozen_in_a_transaction_keeps_nobody_out_for_long(
    database: Database,
) -> None:
    if database.dialect == "sqlite":
        return  # its lock is a process's: it goes when that is killed
    async with database.transaction() as tx:
        await write(tx, "row", 1)

    async def freeze() -> None:
        async with database.transaction() as frozen:
            await frozen.execute(facts.update().values(value=2))
            async with database.transaction() as other:  # waits until the server ends the first
                await other.execute(facts.update().values(value=3))
            await frozen.execute(facts.update().values(value=4))

    with pytest.raises(DatabaseUnavailable):
        await freeze()

    async with database.reading() as tx:
        assert (await tx.execute(select(facts.c.value))).scalar_one() == 3


async def test_a_connection_that_was_cut_is_unavailable_and_the_next_one_works(
    database: Database,
) -> None:
    if database.dialect == "sqlite":
        return  # there is no connection to cut

    async def cut_in_the_middle() -> None:
        async with database.transaction() as tx:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with database.transaction() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({pid})"))
            await write(tx, "lost")

    with pytest.raises(DatabaseUnavailable):
        await cut_in_the_middle()

    async with database.transaction() as tx:
        await write(tx, "kept")
    assert await keys(database) == {"kept"}


async def test_connections_that_died_in_the_pool_are_replaced_unseen(
    database: Database, database_url: str
) -> None:
    if database.dialect == "sqlite":
        return  # there is no connection to cut
    async with database.transaction() as one, database.transaction():
        await write(one, "one")

    async with open_database(database_url) as other, other.transaction() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )

    for _ in range(3):
        assert await keys(database) == {"one"}


async def test_a_full_disk_is_unavailable_and_harms_nothing(database: Database) -> None:
    if database.dialect == "postgresql":
        return  # its disk cannot be filled from here

    async def overflow() -> None:
        async with database.transaction() as tx:
            pages = (await tx.execute(text("PRAGMA page_count"))).scalar_one()
            await tx.execute(text(f"PRAGMA max_page_count={pages}"))
            await write(tx, "large", "x" * 1_000_000)

    with pytest.raises(DatabaseFull, match="no room") as caught:
        await overflow()

    async with database.transaction() as tx:
        await tx.execute(text("PRAGMA max_page_count=1000000"))
        await write(tx, "small")
    assert await keys(database) == {"small"}
    assert "Free space" in caught.value.action


async def test_a_server_without_room_says_so(database: Database) -> None:
    if database.dialect == "sqlite":
        return  # the test before this one fills it
    raising = text("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$")

    async def overflow() -> None:
        async with database.transaction() as tx:
            await tx.execute(raising)

    with pytest.raises(DatabaseFull, match="has no room"):
        await overflow()


async def test_closing_leaves_no_thread_behind(database: Database) -> None:
    """One that posts to a loop which is closed by then would say so on its way out."""
    if database.dialect == "postgresql":
        return  # asyncpg has none
    url = f"sqlite+aiosqlite:///{database.place}"

    async with open_database(url) as other:
        begun = asyncio.Event()

        async def count() -> None:
            async with other.reading() as tx:
                begun.set()
                await tx.execute(text(COUNTING))

        task = asyncio.create_task(count())
        await begun.wait()
        await turn()
        task.cancel()
        await asyncio.wait({task})

        ours = set(other.threads)

    assert ours
    assert not ours & set(enumerate_threads())
