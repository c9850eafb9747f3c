"""A backup is the whole database, from either kind and into either; a restore is all or nothing."""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text, update

from storage import backup, schema
from storage.backup import Restored
from storage.backup.epoch import ATTEMPTS
from storage.clock import now
from storage.connections import Connection
from storage.credentials import give
from storage.database import Database, open_database
from storage.embedding import StaticEmbedder
from storage.errors import DatabaseInUse
from storage.relay import LEAP
from storage.sealed import Keyring, new_key
from storage.search import Searcher
from storage.tables import facts, metadata, runs, workers
from tests.conftest import new_database
from tests.indexed import Library
from tests.population import everything, populate

LEAPT = {runs.name, facts.name}
"""What a restore changes on purpose: numbers that must not come again."""


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A database of each kind that has not even a schema, to restore into."""
    with fresh(request, request.param, tmp_path) as url:
        yield url


@contextmanager
def fresh(request: pytest.FixtureRequest, kind: str, folder: Path) -> Generator[str]:
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/new/headwater.db"
        return
    with new_database(request.getfixturevalue("postgresql"), template="template1") as url:
        yield url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "headwater.tar"


async def restore(url: str, file: Path, keyring: Keyring | None = None) -> Restored:
    return await backup.restore(url, file, keyring=keyring)


async def take(database: Database, file: Path) -> None:
    await backup.take(database, file, version="0.1.0")


async def test_what_comes_back_is_what_there_was(
    database: Database, other_url: str, file: Path
) -> None:
    for seed in (1, 2, 3):
        await populate(database, seed)
    await take(database, file)

    await restore(other_url, file)

    async with open_database(other_url) as other:
        await schema.check(other)
        before, after = await everything(database), await everything(other)
    assert all(before.values()), "a table without rows proves nothing"
    for name in metadata.tables.keys() - LEAPT:
        assert before[name] == after[name], name
    assert len(before[runs.name]) == len(after[runs.name])
    assert set(before[facts.name]) < set(after[facts.name])


async def test_numbers_that_were_given_are_not_given_again(
    database: Database, connection: Connection, other_url: str, file: Path
) -> None:
    await populate(database, 1)
    async with database.transaction() as tx:
        await tx.execute(update(runs).values(finished_at=None, seq=LEAP + 7, attempt=4))
        given = await Library(connection).add(tx, "a.txt", "gone again")
        await tx.execute(text("DELETE FROM artifacts"))
    await take(database, file)

    await restore(other_url, file)

    async with open_database(other_url) as other, other.transaction() as tx:
        run = (await tx.execute(runs.select())).first()
        added = await Library(connection).add(tx, "b.txt", "new")
    assert run is not None
    assert run.seq >= (int(now().timestamp()) - 600) * LEAP
    assert run.seq < 2**53
    assert run.attempt == 4 + ATTEMPTS
    assert added > given


async def test_what_was_found_before_is_found_after(
    database: Database, connection: Connection, other_url: str, file: Path
) -> None:
    async with database.transaction() as tx:
        await Library(connection).add(tx, "lease.py", "a worker renews its lease")
        await Library(connection).add(tx, "tea.md", "boil the water first")
    await take(database, file)

    await restore(other_url, file)

    searcher = Searcher(StaticEmbedder())
    async with open_database(other_url) as other:
        for query, path in (("renews lease", "lease.py"), ("boil water", "tea.md")):
            async with other.reading() as tx:
                hits = await searcher.search(tx, connection.tenant, query, limit=1)
            assert [hit.path for hit in hits] == [path]


async def test_a_backup_is_of_one_instant_while_others_write(
    database: Database, connection: Connection, file: Path
) -> None:
    """Each transaction adds an artifact and its chunk: no backup has one without the other."""
    begun, enough = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        number = 0
        while not enough.is_set():
            async with database.transaction() as tx:
                await Library(connection).add(tx, f"{number}.txt", f"text {number}")
            number += 1
            begun.set()

    writing = asyncio.create_task(write())
    try:
        await begun.wait()
        for each in range(2):
            await take(database, file.with_name(f"{each}.tar"))
    finally:
        enough.set()
        await writing
    manifest = backup.verify(file.with_name("1.tar"))
    rows = {table.name: table.rows for table in manifest.tables}

    assert rows["artifacts"] == rows["chunks"] == rows["embeddings"] > 0


async def test_a_database_that_is_in_use_is_left_alone(database: Database, file: Path) -> None:
    if database.dialect == "sqlite":
        return  # there the data directory says who is at it
    await populate(database, 3)
    await take(database, file)
    async with database.transaction() as tx:
        await tx.execute(update(workers).values(seen_at=now()))

    with pytest.raises(DatabaseInUse):
        await restore(database.url, file)


async def test_a_restore_replaces_all_that_was_there(database: Database, file: Path) -> None:
    await populate(database, 4)
    await take(database, file)
    async with database.transaction() as tx:
        await tx.execute(text("DELETE FROM tenants"))
    await database.close()

    await restore(database.url, file)

    async with open_database(database.url) as again:
        assert await backup.holds_anything(database.url)
        assert all((await everything(again)).values())


@pytest.mark.parametrize("place", ["restore.part:5", "restore.filled"])
async def test_a_restore_that_is_killed_leaves_what_there_was(
    database: Database, file: Path, place: str
) -> None:
    if database.dialect == "postgresql" and place == "restore.filled":
        return  # there is no such moment: it is a commit
    await populate(database, 5)
    await take(database, file)
    await populate(database, 6)
    before = await everything(database)
    await database.close()

    killed = await asyncio.to_thread(restore_elsewhere, database.url, file, place)

    async with open_database(database.url) as again:
        assert killed == -9
        assert await everything(again) == before
        await again.close()
        await restore(database.url, file)
    async with open_database(database.url) as again:
        assert len((await everything(again))["connections"]) < len(before["connections"])


def restore_elsewhere(url: str, file: Path, crash_at: str) -> int:
    """In a process of its own, that dies there. Its exit code."""
    program = (
        "import asyncio, sys; from pathlib import Path; from storage import backup, crashpoints\n"
        "crashpoints.arm(sys.argv[3])\n"
        "asyncio.run(backup.restore(sys.argv[1], Path(sys.argv[2]), keyring=None))"
    )
    command = [sys.executable, "-c", program, url, str(file), crash_at]
    return subprocess.run(command, check=False, timeout=50).returncode


async def test_it_is_said_which_credentials_no_key_here_opens(
    database: Database, connection: Connection, file: Path
) -> None:
    mine, another = Keyring.parse(new_key()), Keyring.parse(new_key())
    async with database.transaction() as tx:
        await give(
            tx, mine, connection.tenant, connection.id, kind="token", secret=b"s3cret", actor="api"
        )
    await take(database, file)
    await database.close()

    without = await restore(database.url, file, another)

    async with open_database(database.url) as again, again.reading() as tx:
        none, opened = await backup.unopened(tx, None), await backup.unopened(tx, mine)
    assert backup.verify(file).key_ids == [mine.sealing]
    assert b"s3cret" not in await asyncio.to_thread(file.read_bytes)
    assert [(each.key, each.credentials) for each in without.unopened] == [(mine.sealing, 1)]
    assert tuple(none) == without.unopened
    assert not opened
