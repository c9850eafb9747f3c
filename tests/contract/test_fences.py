"""Row-level security, as the role that serves: no owner of anything, and no superuser."""

import re
from collections.abc import AsyncGenerator, Generator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from api.attaching import StackSettings
from api.doctor import Grade, examine
from storage import connections, fences, keys, runs, tenants
from storage.connections import Connection
from storage.database import Database, open_database
from storage.ids import LOCAL_TENANT, TenantId
from storage.search import Searcher
from tests.conftest import new_database
from tests.indexed import Library

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
GRANTS = re.compile(r"```sql\n(-- as the owner.*?)```", re.DOTALL)


@pytest.fixture
def database_url(postgresql: str, migrated_postgresql: str) -> Generator[str]:
    """SQLite has no such thing."""
    with new_database(postgresql, template=migrated_postgresql) as url:
        yield url


@pytest.fixture
async def serving(database: Database) -> AsyncGenerator[Database]:
    """The same database, as a role made just as docs/operations.md says."""
    role = f"r_{uuid4().hex}"
    (documented,) = GRANTS.findall(OPERATIONS.read_text())
    said = documented.replace("headwater_app", role).replace("'choose one'", "'s3cret'")
    async with database.transaction() as tx:
        for statement in said.split(";"):
            if statement.strip():
                await tx.exec_driver_sql(statement)
    url = make_url(database.url).set(username=role, password="s3cret")  # noqa: S106  # of a test
    async with open_database(url.render_as_string(hide_password=False)) as opened:
        yield opened
    async with database.transaction() as tx:
        await tx.execute(text(f"DROP OWNED BY {role}"))
        await tx.execute(text(f"DROP ROLE {role}"))


@pytest.fixture
async def mine(serving: Database, connection: Connection) -> Connection:
    """A connection with a run and something to find."""
    async with serving.transaction() as tx:
        await Library(connection).add(tx, "lease.py", "a worker renews its lease")
        await runs.request(
            tx, connection.tenant, connection=connection, workflow="ingest", input={}
        )
        await keys.make(tx, connection.tenant, name="mine")
    return connection


async def seen(database: Database) -> dict[str, int]:
    """How many rows of each fenced table there are to see, with no condition at all."""
    async with database.reading() as tx:
        counts = {
            table: await tx.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608  # our own
            for table in fences.fenced()
        }
    return {table: count for table, count in counts.items() if count}


async def test_every_table_with_tenants_is_fenced(database: Database) -> None:
    async with database.reading() as tx:
        forced = set((await tx.scalars(fences.FENCED)).all())
        checked = set(
            (
                await tx.scalars(
                    text("SELECT tablename FROM pg_policies WHERE with_check IS NOT NULL")
                )
            ).all()
        )

    assert fences.fenced().keys() == forced == checked
    assert forced > {"tenants", "connections", "runs", "artifacts", "chunks", "embeddings", "keys"}


async def test_the_serving_role_is_no_superuser_and_owns_nothing(serving: Database) -> None:
    query = text("""
        SELECT rolsuper OR rolbypassrls OR EXISTS (
            SELECT 1 FROM pg_class WHERE relowner = pg_roles.oid
        ) FROM pg_roles WHERE rolname = current_user
    """)
    async with serving.reading() as tx:
        assert await tx.scalar(query) is False
        assert await fences.holds(tx)


async def test_a_superuser_who_serves_is_complained_about(
    database: Database, tmp_path: Path
) -> None:
    settings = StackSettings(data_dir=tmp_path, database_url=SecretStr(database.url))

    [check] = [each async for each in examine(settings) if each.name == "database"]

    assert check.grade is Grade.WARN
    assert "row-level security" in check.detail
    assert "docs/operations.md" in (check.action or "")


async def test_a_request_sees_its_tenants_rows_without_any_condition(
    serving: Database, mine: Connection
) -> None:
    found = await seen(serving.within(mine.tenant))

    assert found.keys() >= {"tenants", "connections", "runs", "artifacts", "chunks", "keys"}
    assert found["tenants"] == 1


async def test_a_request_sees_no_row_of_another_tenant(
    serving: Database, mine: Connection, other_tenant: TenantId
) -> None:
    assert await seen(serving.within(other_tenant)) == {"tenants": 1}


async def test_who_does_not_say_whose_rows_sees_none(serving: Database, mine: Connection) -> None:
    async with serving.reading() as tx:
        await tx.execute(text("SELECT set_config('headwater.tenant', '', true)"))

        found = [
            await tx.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608  # our own
            for table in fences.fenced()
        ]

    assert set(found) == {0}


async def test_nothing_is_written_or_moved_into_another_tenant(
    serving: Database, mine: Connection, other_tenant: TenantId
) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with serving.within(other_tenant).transaction() as tx:
            await connections.connect(
                tx, mine.tenant, owner="eve", kind="local", title="Eve", config={}
            )

    with pytest.raises(DBAPIError, match="row-level security"):
        async with serving.within(mine.tenant).transaction() as tx:
            await tx.execute(text("UPDATE keys SET tenant_id = :to"), {"to": other_tenant})


async def test_what_a_request_said_is_forgotten_with_its_transaction(
    serving: Database, mine: Connection, other_tenant: TenantId
) -> None:
    await seen(serving.within(other_tenant))

    everything = await seen(serving)

    assert everything["tenants"] == 2
    assert everything["connections"] == 1


async def test_work_and_search_go_on_as_the_serving_role(
    serving: Database, mine: Connection
) -> None:
    async with serving.within(mine.tenant).reading() as tx:
        hits = await Searcher(Library(mine).embedder).search(tx, mine.tenant, "worker lease")
    async with serving.transaction() as tx:
        claimed = await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=10)

    assert [hit.path for hit in hits] == ["lease.py"]
    assert [run.tenant for run in claimed] == [LOCAL_TENANT]


async def test_full_text_is_looked_up_in_its_index_behind_the_fence(
    serving: Database, mine: Connection
) -> None:
    """The fence would keep it from the index, if PostgreSQL did not know that it tells nothing."""
    query = "EXPLAIN SELECT id FROM chunks WHERE lexemes @@ to_tsquery('simple', 'worker')"
    async with serving.within(mine.tenant).reading() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))

        plan = "\n".join((await tx.scalars(text(query))).all())

    assert "ix_chunks_lexemes" in plan


async def test_one_machine_makes_its_tenant_within_its_own_fence(serving: Database) -> None:
    async with serving.within(LOCAL_TENANT).transaction() as tx:
        await tenants.settle(tx, LOCAL_TENANT)

    assert await seen(serving.within(LOCAL_TENANT)) == {"tenants": 1}
