"""A real worker comes to what is due, gives its only slot to whoever waits, erases, and tells."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from storage import connections, erasing, runs, schedules
from storage.clock import now
from storage.database import Database
from storage.erasing import Erasure
from storage.events import EventKind, RunStatus
from storage.ids import LOCAL_TENANT, RunId
from storage.runs import Run
from storage.schedules import Cadence, Tick
from storage.tables import hints
from storage.tables import schedules as table
from tests.hooked import KEY, hooked
from tests.marks import on_sqlite
from tests.waiting import wait_until
from tests.working import ask_for, finished, kinds, look, processed, working

pytestmark = pytest.mark.timeout(240)

ENDS = ["run.succeeded", "connection.disconnected", "connection.erased"]
MANY = 3_000  # they last long enough to be stopped in the middle


async def due(database: Database, run: RunId) -> None:
    """The run's connection is due by schedule, now; the run itself is not there any more."""
    async with database.transaction() as tx:
        await runs.cancel(tx, LOCAL_TENANT, run)
        row = await runs.find(tx, run)
        assert row is not None
        assert row.connection is not None
        connection = await connections.get(tx, LOCAL_TENANT, row.connection)
        assert connection is not None
        await schedules.put(tx, connection, Cadence(interval=timedelta(days=1)))
        await tx.execute(table.update().values(due_at=now(), fire_at=now()))


async def came_to(database: Database) -> Tick:
    found: list[Tick] = []

    async def ticked() -> bool:
        async with database.reading() as tx:
            (schedule,) = await schedules.page(tx, LOCAL_TENANT, after=None, limit=2)
            found[:] = await schedules.told(tx, LOCAL_TENANT, schedule.connection, limit=2)
        return bool(found)

    await wait_until(ticked, within_seconds=60)
    return found[0]


async def came_of_a_hint(database: Database, before: Run) -> Run:
    """What a worker starts after a provider told of a change."""
    hint = {"connection_id": before.connection, "tenant_id": before.tenant, "pending": 1}
    async with database.transaction() as tx:
        await tx.execute(hints.insert().values(**hint, due_at=now(), hinted_at=now()))
    found: list[Run] = []

    async def started() -> bool:
        async with database.reading() as tx:
            found[:] = await runs.page(
                tx, before.tenant, connection=before.connection, after=None, limit=1
            )
        return found[0].id != before.id

    await wait_until(started, within_seconds=60)
    return found[0]


@on_sqlite
async def test_what_a_schedule_started_yields_the_only_slot_and_is_erased_with_its_connection(
    database: Database, database_url: str, redis_url: str, prefect_url: str, tmp_path: Path
) -> None:
    many, few = tmp_path / "many", tmp_path / "few"
    await asyncio.to_thread(fill, many, MANY)
    await asyncio.to_thread(fill, few, 10)
    await due(database, await ask_for(database, many))
    environment = {
        "HEADWATER_DATA_DIR": str(tmp_path),
        "HEADWATER_DATABASE_URL": database_url,
        "HEADWATER_REDIS_URL": redis_url,
        "HEADWATER_WORKER_SLOTS": "1",
        "HEADWATER_WORKER_POLL_SECONDS": "0.5",
        "HEADWATER_WORKER_POOL": tmp_path.name,
        "HEADWATER_SECRET_KEYS": KEY,
        "HEADWATER_EGRESS_NETWORKS": "127.0.0.0/8",
        "PREFECT_API_URL": prefect_url,
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }

    async with hooked(database, kinds=ENDS) as hook:
        with working(tmp_path / "worker.log", environment):
            scheduled, run, meanwhile, story, erased = await happens(database, few)
            await wait_until(lambda: len(set(hook.receiver.ids)) == len(ENDS), within_seconds=60)
            hinted = await came_of_a_hint(database, run)

    assert run.status is RunStatus.SUCCEEDED
    assert meanwhile.finished_at is None
    assert meanwhile.counts.processed >= 100
    assert EventKind.ATTEMPT_HANDED_OVER in story
    assert erased.counts["runs"] == 2
    assert hinted.scheduled
    assert await remembered(prefect_url, scheduled) == []
    assert await remembered(prefect_url, run.id) != []
    assert {json.loads(each.body)["type"] for each in hook.receiver.told} == set(ENDS)


async def happens(
    database: Database, few: Path
) -> tuple[RunId, Run, Run, list[EventKind], Erasure]:
    """A tick, somebody who waits meanwhile, and the end of what the tick was for."""
    scheduled = (await came_to(database)).run
    assert scheduled is not None
    await processed(database, scheduled, 100)
    run = await finished(database, await ask_for(database, few))
    meanwhile, story = await look(database, scheduled), await kinds(database, scheduled)
    return scheduled, run, meanwhile, story, await erase(database, scheduled)


async def erase(database: Database, run: RunId) -> Erasure:
    """Disconnect what the run is of, while it goes on, and wait for the end of it."""
    connection = (await look(database, run)).connection
    assert connection is not None
    async with database.transaction() as tx:
        asked = await erasing.request(tx, LOCAL_TENANT, connection, revoked=False, actor="test")
    assert asked is not None

    async def over() -> bool:
        async with database.reading() as tx:
            return not await erasing.unfinished(tx)

    await wait_until(over, within_seconds=60)
    async with database.reading() as tx:
        receipt = await erasing.get(tx, LOCAL_TENANT, asked.id)
    assert receipt is not None
    return receipt


async def remembered(prefect_url: str, run: RunId) -> list[str]:
    """The flow runs that Prefect has of the run's attempts."""
    keys = {"idempotency_key": {"any_": [f"{run}:{attempt}" for attempt in range(1, 20)]}}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{prefect_url}/flow_runs/filter", json={"flow_runs": keys})
    return [each["name"] for each in answer.json()]


def fill(folder: Path, files: int) -> None:
    folder.mkdir()
    for number in range(files):
        text = f"# Note {number}\n\n" + f"It says {number} in words of its own.\n" * 40
        (folder / f"note-{number:04}.md").write_text(text)
