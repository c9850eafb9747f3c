"""An ingestion whose database has no room: it waits, says why, and goes on by itself."""

import asyncio
from pathlib import Path

from sqlalchemy import text

from storage import artifacts
from storage.database import Database
from storage.events import RunStatus, fold
from storage.ids import RunId
from tests.ingesting import House, notes, open_house
from tests.waiting import wait_until

NAMES = tuple(f"note {number:03}" for number in range(120))


async def allow(database: Database, *, more_pages: int) -> None:
    """On the one connection that writes; SQLite itself then finds its disk full."""
    async with database.writer.connect() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count={pages + more_pages}"))


async def waits_for_room(house: House, run: RunId) -> bool:
    state = await house.state(run)
    reason = state["reason"] or {}
    return (state["status"], reason.get("code")) == ("waiting", "disk")


async def test_without_room_the_run_waits_can_be_read_and_goes_on(
    migrated_sqlite: Path, database: Database
) -> None:
    if database.dialect == "postgresql":
        return  # its disk cannot be filled from here; that it is understood is tested elsewhere
    _, spec = notes(*NAMES)
    async with open_house(database, spec) as house:
        connection = await house.connect(spec.kind, {})
        run = await house.request(connection)
        claimed = await house.claim()
        await allow(database, more_pages=40)

        attempt = asyncio.create_task(house.attempt(claimed))
        await wait_until(lambda: waits_for_room(house, run))
        state = await house.state(run)
        async with database.reading() as tx:
            there = await artifacts.searchable(tx, connection.id)
        await allow(database, more_pages=1_000_000)
        outcome = await attempt
        events = await house.events(run)

        assert "Free space" in state["reason"]["action"]
        assert state["activity"] == "The disk is full"
        assert there == state["searchable"]
        assert outcome.status is RunStatus.SUCCEEDED
        assert (await house.run(run)).counts.processed == len(NAMES)
        assert (await house.state(run))["reason"] is None
        assert fold({}, events)["status"] == (await house.state(run))["status"] == "succeeded"
