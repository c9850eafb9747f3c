"""Upgrading gives the schema the code works with, once, on both databases, or says why not."""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.schema import SchemaItem

from storage import schema
from storage.database import Database, open_database
from storage.errors import DatabaseUnavailable, SchemaOutdated, SetupError
from storage.ids import new_id
from storage.tables import metadata
from tests.conftest import new_database

# What only one database has: made by the migrations, and not in ``storage.tables``.
ONE_SIDED = {"lexemes", "ix_chunks_lexemes", "ix_embeddings_wordllama_l2_256", "alembic_version"}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A database without a schema."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/headwater.db"
        return
    with new_database(request.getfixturevalue("postgresql"), template="template1") as url:
        yield url


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"include_object": compared, "compare_server_default": False}
    )
    return list(compare_metadata(context, metadata))


def compared(
    item: SchemaItem,
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001  # Alembic calls it
    other: SchemaItem | None,
) -> bool:
    return name not in ONE_SIDED and not (name or "").startswith("chunks_fts")


async def read(database: Database, statement: str) -> object:
    async with database.reading() as tx:
        return (await tx.execute(text(statement))).scalar()


async def test_the_migrated_schema_is_the_one_in_tables(database: Database) -> None:
    async with database.reading() as tx:
        assert await tx.run_sync(differences) == []


async def test_the_comparison_sees_a_difference(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("ALTER TABLE runs ADD COLUMN surprise INTEGER"))
        await tx.execute(text("DROP INDEX ix_artifacts_queue"))

        found = await tx.run_sync(differences)

    assert len(found) == 2


async def test_upgrading_twice_is_harmless(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    async with open_database(empty_url) as database, database.transaction() as tx:
        await tx.execute(text("INSERT INTO facts (key, value) VALUES ('name', '\"mine\"')"))

    await schema.upgrade(empty_url)

    async with open_database(empty_url) as database:
        await schema.check(database)
        assert await read(database, "SELECT key FROM facts") == "name"


async def test_upgrades_at_once_wait_for_each_other(empty_url: str) -> None:
    await asyncio.gather(*(schema.upgrade(empty_url) for _ in range(4)))

    async with open_database(empty_url) as database:
        await schema.check(database)


async def test_whoever_opens_a_new_file_at_the_same_moment_gets_in(tmp_path: Path) -> None:
    """SQLite by itself lets one of six fail in every seventh round: see ``storage.database``."""

    async def enter(url: str) -> None:
        async with open_database(url) as database, database.transaction():
            pass

    for number in range(30):
        url = f"sqlite+aiosqlite:///{tmp_path}/{number}.db"
        await asyncio.gather(*(enter(url) for _ in range(6)))

        async with open_database(url) as database:
            assert await read(database, "PRAGMA journal_mode") == "wal"


async def test_the_directory_of_a_new_database_is_private(tmp_path: Path) -> None:
    directory = tmp_path / "data" / "headwater"

    await schema.upgrade(f"sqlite+aiosqlite:///{directory}/headwater.db")

    assert directory.stat().st_mode & 0o777 == 0o700


async def test_a_database_without_a_schema_is_outdated(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        with pytest.raises(SchemaOutdated) as caught:
            await schema.check(database)

    assert "none" in str(caught.value)
    assert "python -m storage.migrations" in caught.value.action


async def test_an_older_schema_is_outdated(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    with pytest.raises(SchemaOutdated, match="0001"):
        await schema.check(database)


async def test_a_newer_schema_is_left_alone(database: Database, database_url: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for refuse in (schema.check(database), schema.upgrade(database_url)):
        with pytest.raises(SchemaOutdated, match="does not know") as caught:
            await refuse
        assert "newer version" in caught.value.action

    assert await read(database, "SELECT version_num FROM alembic_version") == "9999"


async def test_an_upgrade_gives_up_rather_than_hold_up_those_at_work(
    database: Database, database_url: str
) -> None:
    if database.dialect == "sqlite":
        return  # it has no lock to wait for: its writers take turns
    async with database.transaction() as tx:
        await tx.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))

        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await schema.upgrade(database_url, patience=schema.Patience(lock_ms=100))


async def test_a_server_without_vectors_is_refused_with_what_to_do(
    empty_url: str, postgresql: str
) -> None:
    if empty_url.startswith("sqlite"):
        return  # it needs no extension
    async with open_database(empty_url) as database, database.transaction() as tx:
        # A view of this name hides the server's: as if nothing were installed.
        await tx.execute(
            text(
                "CREATE VIEW public.pg_available_extensions AS SELECT * "
                "FROM pg_catalog.pg_available_extensions WHERE name <> 'vector'"
            )
        )
        name = (await tx.execute(text("SELECT current_database()"))).scalar_one()
        await tx.execute(text(f"ALTER DATABASE {name} SET search_path = public, pg_catalog"))

    with pytest.raises(SetupError, match="vector") as caught:
        await schema.upgrade(empty_url)

    assert "pgvector" in caught.value.action


async def test_a_user_who_may_not_add_vectors_is_told_who_may(
    empty_url: str, postgresql: str
) -> None:
    if empty_url.startswith("sqlite"):
        return  # it has no users
    user = f"plain_{new_id().hex}"
    async with open_database(empty_url) as database:
        async with database.transaction() as tx:
            await tx.execute(text(f"CREATE ROLE {user} LOGIN"))

        with pytest.raises(SetupError, match="may not switch it on") as caught:
            await schema.upgrade(str(make_url(empty_url).set(username=user)))

        async with database.transaction() as tx:
            await tx.execute(text(f"DROP ROLE {user}"))
    assert "CREATE EXTENSION vector" in caught.value.action


def test_the_command_line_upgrades_and_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/headwater.db"

    done = _migrations(url)

    assert done.returncode == 0
    assert f"up to date ({schema.head()})" in done.stdout


def test_the_command_line_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    done = _migrations("postgresql://me:hunter2@127.0.0.1:1/headwater")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "127.0.0.1:1/headwater" in done.stderr
    assert "hunter2" not in done.stderr


def _migrations(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "storage.migrations"],
        env={"HEADWATER_DATABASE_URL": url, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
