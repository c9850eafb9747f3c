"""A database with work in it goes from one release to the next, and nothing of it is lost."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage import runs, schema
from storage.database import open_database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT, RunId
from storage.runs import Wish
from tests.conftest import new_database

HELD = RunId(UUID("01890000-0000-7000-8000-000000000001"))
QUEUED = RunId(UUID("01890000-0000-7000-8000-000000000002"))
COUNTS = (
    '{"found":3,"processed":1,"unchanged":0,"skipped":{},"failed":{},"deleted":0,'
    '"bytes":9,"chunks":1,"tokens":4,"embedded":1,"model_calls":0}'
)
RUN = """
    INSERT INTO runs (id, tenant_id, workflow, input, status, attempt, worker, lease_until,
                      milestones, seq, counts, created_at)
    VALUES ('{id}', '{tenant}', 'ingest', '{{}}', '{status}', {attempt}, {worker}, {lease_until},
            1, 7, '{counts}', '2026-01-02 03:04:05.000000')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A database without a schema."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/headwater.db"
        return
    with new_database(request.getfixturevalue("postgresql"), template="template1") as url:
        yield url


def at_0002(connection: Connection) -> None:
    """The release before this one, with a run in somebody's hands and one that waits."""
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")
    lease = "'2999-01-01 00:00:00.000000'"
    for each in (
        {
            "id": HELD.hex,
            "status": "running",
            "attempt": 1,
            "worker": "'old'",
            "lease_until": lease,
        },
        {
            "id": QUEUED.hex,
            "status": "queued",
            "attempt": 0,
            "worker": "NULL",
            "lease_until": "NULL",
        },
    ):
        filled = RUN.format(tenant=LOCAL_TENANT.hex, counts=COUNTS, **each)
        connection.exec_driver_sql(filled)


async def test_runs_go_on_when_the_upgrade_comes_that_lets_people_stop_them(
    empty_url: str,
) -> None:
    async with open_database(empty_url) as database:
        async with database.transaction() as tx:
            await tx.run_sync(at_0002)

        await schema.upgrade(empty_url)

        async with database.transaction() as tx:
            page = await runs.page(tx, LOCAL_TENANT, after=None, limit=10)
            renewed = await runs.beat(tx, worker="old", lease=timedelta(minutes=1), beats={})
            await runs.cancel(tx, LOCAL_TENANT, HELD)
            held = await runs.held(tx, worker="old")
            taken = await runs.claim(
                tx, worker="new", lease=timedelta(minutes=1), limit=10, version="2"
            )

    assert {run.id: run.status for run in page} == {
        HELD: RunStatus.RUNNING,
        QUEUED: RunStatus.QUEUED,
    }
    assert {(run.wish, run.bucket, run.deaths, run.in_hand) for run in page} == {
        (None, None, 0, ())
    }
    assert {run.counts.found for run in page} == {3}
    assert [(one.run, one.attempt) for one in renewed] == [(HELD, 1)]
    assert held == [runs.Held(HELD, page[1].attempt, Wish.CANCEL)]
    assert [(run.id, run.version) for run in taken] == [(QUEUED, "2")]


async def test_the_release_before_can_still_write_while_it_is_replaced(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    async with open_database(empty_url) as database, database.transaction() as tx:
        late = RUN.format(
            id=QUEUED.hex,
            tenant=LOCAL_TENANT.hex,
            status="queued",
            attempt=0,
            worker="NULL",
            lease_until="NULL",
            counts=COUNTS,
        )
        await tx.execute(text(late.replace(":", "\\:")))

        (taken,) = await runs.claim(tx, worker="new", lease=timedelta(minutes=1), limit=1)

    assert taken.id == QUEUED
