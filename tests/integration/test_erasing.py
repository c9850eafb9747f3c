"""Disconnecting goes on, whoever dies in the middle, and takes nothing of anybody else's."""

from collections.abc import Collection

import pytest
from sqlalchemy import select

from pipelines.eraser import Eraser
from storage import connections, erasing, runs
from storage.connections import Connection
from storage.database import Database
from storage.erasing import Step
from storage.errors import RunEnded
from storage.ids import LOCAL_TENANT, Attempt, RunId, TenantId
from storage.tables import audit
from tests.erased import CANARY, Remembers, many, receipt, request, rows
from tests.ingesting import House, notes, open_house


async def test_what_somebody_still_reads_is_scrubbed_later(database: Database) -> None:
    if database.dialect != "sqlite":
        pytest.skip("only SQLite has a log that readers hold")
    _, spec = notes("ant")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        it = await request(database, connection)
        eraser = Eraser(house.services, Remembers())

        async with database.reading() as tx:
            await tx.execute(select(audit))
            await eraser.look()
            waits = await receipt(database, it)
        await eraser.look()

    assert waits.step is Step.FILES
    assert (await receipt(database, it)).step is Step.DONE


async def test_an_erasure_that_is_broken_off_goes_on(database: Database) -> None:
    _, spec = notes(*many(30))
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        it = await request(database, connection)
        async with database.transaction() as tx:
            assert await erasing.erase_some(tx, it)

        again = await request(database, connection)
        await Eraser(house.services, Remembers()).look()
        await Eraser(house.services, Remembers()).look()

    assert again.id == it.id
    assert (await receipt(database, it)).step is Step.DONE
    assert [name for name, said in (await rows(database)).items() if CANARY in said] == []


async def test_an_orchestrator_that_is_away_is_waited_for(database: Database) -> None:
    _, spec = notes("ant")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        it = await request(database, connection)

        with pytest.raises(ConnectionError):
            await Eraser(house.services, Away()).look()
        waits = await receipt(database, it)
        await Eraser(house.services, Remembers()).look()

    assert (waits.step, len(waits.runs)) == (Step.ORCHESTRATOR, 1)
    assert (await receipt(database, it)).step is Step.DONE


class Away:
    async def forget(self, runs: Collection[tuple[RunId, Attempt]]) -> None:
        raise ConnectionError(f"nobody told of {len(runs)} runs")


async def test_a_run_that_goes_on_writes_nothing_more_and_reconnecting_begins_anew(
    database: Database,
) -> None:
    _, spec = notes(*many(30))
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.request(connection)
        going = await house.claim()
        it = await request(database, connection)

        anew = await house.connect("memory", {})
        refused = await refuses(house, going)
        run = await house.ingest(anew)
        await Eraser(house.services, Remembers()).look()
        after = await house.ingest(anew)

    assert anew.id != connection.id
    assert refused
    assert (run.counts.found, run.counts.processed) == (30, 30)
    assert (after.counts.unchanged, after.counts.processed) == (30, 0)
    assert (await receipt(database, it)).step is Step.DONE


async def refuses(house: House, run: runs.Run) -> bool:
    """Whether an attempt that was at the run can do nothing any more."""
    try:
        return (await house.attempt(run)).status is None
    except RunEnded:
        return True


async def test_what_two_connections_share_stays_for_the_other_one(database: Database) -> None:
    _, spec = notes("ant", "bee")
    async with open_house(database, spec) as house:
        gone = await house.connect("memory", {})
        async with database.transaction() as tx:
            stays, _ = await connections.connect(
                tx, LOCAL_TENANT, owner="another", kind="memory", title="Theirs", config={}
            )
        await house.ingest(gone)
        await house.ingest(stays)

        await request(database, gone)
        await Eraser(house.services, Remembers()).look()
        run = await house.ingest(stays)

    assert (run.counts.unchanged, run.counts.processed, run.counts.bytes) == (2, 0, 0)


async def test_another_tenant_erases_nothing(
    database: Database, connection: Connection, other_tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        theirs = await erasing.request(tx, other_tenant, connection.id, revoked=False, actor="")
        assert theirs is None
        assert await connections.get(tx, LOCAL_TENANT, connection.id) == connection
    it = await request(database, connection)
    async with database.reading() as tx:
        assert await erasing.get(tx, other_tenant, it.id) is None
        assert await erasing.find(tx, other_tenant, connection.id) is None
