"""Disconnecting erases every byte, whoever dies in the middle, and nothing of anybody else's."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from pipelines.eraser import Eraser
from storage import connecting, connections, erasing, ledger, requests, runs, schedules
from storage.connections import Connection
from storage.credentials import give
from storage.database import Database
from storage.erasing import Erasure, Step
from storage.errors import RunEnded
from storage.ids import LOCAL_TENANT, Attempt, RunId, TenantId
from storage.outputs import OutputLog
from storage.relay import Relay
from storage.requests import Answer
from storage.schedules import Cadence
from storage.sealed import Keyring, new_key
from storage.streams.redis import Channel, RedisEventLog
from storage.tables import audit, erasures, metadata, usage
from tests.ingesting import House, notes, open_house

CANARY = "canary7f3a"
STAY = {audit.name, erasures.name, usage.name}
KEYRING = Keyring.parse(new_key())


@dataclass
class Remembers:
    """What an orchestrator has of runs."""

    runs: set[RunId] = field(default_factory=set[RunId])

    async def forget(self, runs: Collection[tuple[RunId, Attempt]]) -> None:
        self.runs -= {run for run, _ in runs}


def many(number: int, says: str = CANARY) -> list[str]:
    return [f"{says}{each:04}" for each in range(number)]


async def request(database: Database, connection: Connection) -> Erasure:
    async with database.transaction() as tx:
        it = await erasing.request(tx, LOCAL_TENANT, connection.id, revoked=True, actor="test")
    assert it is not None
    return it


async def receipt(database: Database, it: Erasure) -> Erasure:
    async with database.reading() as tx:
        now = await erasing.get(tx, LOCAL_TENANT, it.id)
    assert now is not None
    return now


async def rows(database: Database) -> dict[str, str]:
    """Every table but those that are to stay, as text."""
    async with database.reading() as tx:
        return {
            table.name: str((await tx.execute(select(table))).all())
            for table in metadata.sorted_tables
            if table.name not in STAY
        }


async def everything_in(redis: Redis) -> str:
    said = ""
    async for key in redis.scan_iter("hw:*"):
        kind = await redis.type(key)
        if kind == "stream":
            said += str(await redis.xrange(key))
        elif kind == "hash":
            said += str(await redis.hgetall(key))
    return said


def in_files(folder: Path) -> list[str]:
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]


async def test_after_disconnecting_no_byte_of_it_is_anywhere(
    database: Database, redis: Redis, tmp_path: Path
) -> None:
    source, spec = notes(*many(200))
    async with open_house(database, spec) as house:
        log = RedisEventLog(redis)
        outputs = OutputLog(RedisEventLog(redis, channel=Channel.OUTPUT))
        relay = Relay(database, log)
        house.services = replace(house.services, log=log, outputs=outputs, relay=relay)
        async with database.transaction() as tx:
            connection, _ = await connections.connect(
                tx, LOCAL_TENANT, owner=CANARY, kind="memory", title=CANARY, config={}
            )
        first = await house.ingest(connection)
        for name in many(20):
            source.notes[name] = f"{CANARY} was changed".encode()
        del source.notes[many(1)[0]]
        await house.ingest(connection)
        await surround(database, connection)
        assert CANARY in await everything_in(redis)
        assert database.dialect != "sqlite" or in_files(tmp_path)
        memory = Remembers({first.id})

        it = await request(database, connection)
        await Eraser(house.services, memory).look()

    over = await receipt(database, it)
    assert (over.step, over.runs, over.revoked) == (Step.DONE, [], True)
    assert (over.counts["runs"], over.counts["artifacts"]) == (2, 200)
    assert over.finished_at is not None
    assert memory.runs == set()
    left = await rows(database)
    assert [name for name, said in left.items() if CANARY in said] == []
    assert [name for name, said in left.items() if str(connection.id) in said] == []
    assert left["blobs"] == left["ledger"] == left["chunks"] == "[]"
    assert CANARY not in await everything_in(redis)
    assert in_files(tmp_path) == []


async def surround(database: Database, connection: Connection) -> None:
    """All that may be kept about a connection beside what is ingested of it."""
    async with database.transaction() as tx:
        await schedules.put(tx, connection, Cadence(cron="0 6 * * *"))
        body = {"id": str(connection.id), "title": CANARY}
        said = {"k" * 64: ("read", {"summary": CANARY})}
        await ledger.put(tx, LOCAL_TENANT, said, connection=connection.id)
        answer = Answer(201, {}, body)
        await requests.keep(tx, LOCAL_TENANT, "POST /v1/connections", "key", "f", answer)
        session, _ = await connecting.begin(tx, LOCAL_TENANT, owner=CANARY, kind="memory")
        await connecting.change(tx, session.id, connection_id=connection.id)
        await give(
            tx,
            KEYRING,
            LOCAL_TENANT,
            connection.id,
            kind="token",
            secret=CANARY.encode(),
            actor="test",
        )


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
