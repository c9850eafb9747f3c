"""What tests share: a migrated database of each kind, a tenant in it, and a connection."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from hypothesis import find
from hypothesis import strategies as st
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage import connections, tenants
from storage.connections import Connection
from storage.database import Database, open_database
from storage.ids import LOCAL_TENANT, TenantId
from storage.schema import upgrade
from storage.urls import normalised
from tests import servers
from tests.redis_fixtures import redis, redis_url  # noqa: F401  # fixtures

_WHOLE = (
    "acceptance/test_cli_ingest.py",
    "acceptance/test_cli_up.py",
    "acceptance/test_con",
    "acceptance/test_ingest.py",
    "integration/test_links.py",
    "integration/test_worker.py",
    "integration/test_workflows.py",
)
"""Tests that start whole stacks or workers: one after the other, also if others run beside them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what runs together where the suite is run by several processes."""
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here).as_posix()
        group = "whole" if path.startswith(_WHOLE) else path
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session", autouse=True)
def table_of_characters() -> None:
    """Hypothesis makes it at the first text it draws, and takes that time for a slow strategy."""
    find(st.text(), bool)


@pytest.fixture(autouse=True)
def logging_as_before() -> Generator[None]:
    """A command that is run in this process logs to a stream that is closed with its test."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def postgresql() -> Generator[str]:
    """A server for the whole session; tests make their databases in it."""
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> Generator[str]:
    """The name of a database to copy."""
    with new_database(postgresql, template="template1") as url:
        asyncio.run(upgrade(url))
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A migrated database of this test's own, of each kind."""
    if request.param == "sqlite":
        file = tmp_path / "headwater.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    server, template = map(request.getfixturevalue, ("postgresql", "migrated_postgresql"))
    with new_database(server, template=template) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with open_database(database_url) as database:
        async with database.transaction() as tx:
            await tenants.ensure_local(tx)
        yield database


@pytest.fixture
def tenant() -> TenantId:
    return LOCAL_TENANT


@pytest.fixture
async def other_tenant(database: Database) -> TenantId:
    """Somebody who must see nothing of what ``tenant`` has."""
    other = TenantId(uuid4())
    async with database.transaction() as tx:
        await tenants.ensure(tx, other, name="other")
    return other


@pytest.fixture
async def connection(database: Database, tenant: TenantId) -> Connection:
    async with database.transaction() as tx:
        made, _ = await connections.connect(
            tx, tenant, owner="someone", kind="local", title="Notes", config={"path": "/notes"}
        )
    return made


@contextmanager
def new_database(server: str, *, template: str) -> Generator[str]:
    """The URL of a PostgreSQL database that is dropped on leaving."""
    name = f"t_{uuid4().hex}"
    asyncio.run(_statement(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield normalised(make_url(server).set(database=name).render_as_string(hide_password=False))
    finally:
        asyncio.run(_statement(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _statement(server: str, statement: str) -> None:
    engine = create_async_engine(normalised(server), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as session:
            await session.execute(text(statement))
    finally:
        await engine.dispose()
