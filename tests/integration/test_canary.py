"""A thousand artifacts that nobody could take for others are gone from every file, once erased."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

from connectors.memory import MemoryConnector
from pipelines.eraser import Eraser
from storage import connecting, connections, embedded, ledger, requests, schedules
from storage.connections import Connection
from storage.credentials import give
from storage.database import Database
from storage.erasing import Step
from storage.ids import LOCAL_TENANT
from storage.outputs import OutputLog
from storage.relay import Relay
from storage.requests import Answer
from storage.schedules import Cadence
from storage.sealed import Keyring, new_key
from storage.streams.connect import open_redis
from storage.streams.redis import Channel, RedisEventLog
from storage.tables import blobs, embeddings
from tests.erased import CANARY, Remembers, many, receipt, request, rows
from tests.ingesting import House, notes, open_house
from tests.waiting import wait_until

ARTIFACTS = 1_000
SAMPLE = 60
"""Of what is kept as bytes of its own, packed contents and vectors, so many are looked for."""

KEYRING = Keyring.parse(new_key())


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncGenerator[Redis]:
    """An embedded server, which keeps its file in the data directory."""
    server = await embedded.ensure(tmp_path)
    async with open_redis(server.url) as redis:
        yield redis
    await server.stop()


@pytest.mark.timeout(300)  # a thousand artifacts are made and searched for
async def test_after_disconnecting_no_byte_of_a_thousand_artifacts_is_in_any_file(
    database: Database, own_redis: Redis, tmp_path: Path
) -> None:
    source, spec = notes(*many(ARTIFACTS), connector=partial(MemoryConnector, page=100))
    async with open_house(database, spec) as house:
        in_redis(house, own_redis)
        connection = await connect(database)
        first = await house.ingest(connection)
        for name in many(20):
            source.notes[name] = f"{CANARY} was changed".encode()
        del source.notes[many(1)[0]]
        await house.ingest(connection)
        await surround(database, connection)
        needles = [CANARY.encode(), *await packed(database)]
        places = [tmp_path, *await folders(database)]
        before = holding(places, needles)
        memory = Remembers({first.id})

        it = await request(database, connection)
        await Eraser(house.services, memory).look()
        await vacuum(database)

    over = await receipt(database, it)
    assert any("appendonly" in name for name in before)
    assert len(before) > 1, "what is in the database is not found in its files"
    assert (over.step, over.runs, over.revoked) == (Step.DONE, [], True)
    assert (over.counts["runs"], over.counts["artifacts"]) == (2, ARTIFACTS)
    assert over.finished_at is not None
    assert memory.runs == set()
    assert await naming(database, CANARY, str(connection.id)) == []
    assert [key async for key in own_redis.scan_iter("hw:{*")] == []
    # A server deletes the file that it rewrote a moment after it has a new one.
    await wait_until(lambda: holding(places, needles) == [])


async def naming(database: Database, *words: str) -> list[str]:
    """The tables in which one of these is left, or anything that was made of contents."""
    left = await rows(database)
    assert left["blobs"] == left["ledger"] == left["chunks"] == "[]"
    return [name for name, said in left.items() if any(word in said for word in words)]


def in_redis(house: House, redis: Redis) -> None:
    log = RedisEventLog(redis)
    outputs = OutputLog(RedisEventLog(redis, channel=Channel.OUTPUT))
    relay = Relay(house.services.database, log)
    house.services = replace(house.services, log=log, outputs=outputs, relay=relay)


async def connect(database: Database) -> Connection:
    async with database.transaction() as tx:
        connection, _ = await connections.connect(
            tx, LOCAL_TENANT, owner=CANARY, kind="memory", title=CANARY, config={}
        )
    return connection


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


async def packed(database: Database) -> list[bytes]:
    """Some of what was made of the contents, as it is in the files, and not readable as text."""
    async with database.reading() as tx:
        bodies = list(await tx.scalars(select(blobs.c.body).limit(SAMPLE)))
        if database.dialect == "sqlite":  # PostgreSQL has them in its own form
            bodies += list(await tx.scalars(select(embeddings.c.vector).limit(SAMPLE)))
    return [body[:32] for body in bodies]


async def folders(database: Database) -> list[Path]:
    """Where a PostgreSQL server keeps this database: no folder here if it is elsewhere."""
    if database.dialect == "sqlite":
        return []
    oid = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    query = f"SELECT current_setting('data_directory') || '/base/' || {oid}"
    await outside(database, "CHECKPOINT")
    async with database.reading() as tx:
        place = Path(str(await tx.scalar(text(query))))
    return [place]


async def vacuum(database: Database) -> None:
    """What ``docs/accounts.md`` tells an operator to do who has to be sure at once."""
    if database.dialect == "postgresql":
        # The planner's statistics hold values of columns, and of an empty table they are kept.
        for statement in ("DELETE FROM pg_statistic", "VACUUM FULL", "CHECKPOINT"):
            await outside(database, statement)


async def outside(database: Database, statement: str) -> None:
    engine = create_async_engine(database.url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as session:
            await session.execute(text(statement))
    finally:
        await engine.dispose()


def holding(places: Iterable[Path], needles: Iterable[bytes]) -> list[str]:
    """The files in which there is one of these. A file may vanish while it is looked for."""
    found: list[str] = []
    for path in sorted(path for place in places for path in place.rglob("*") if path.is_file()):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        if any(needle in content for needle in needles):
            found.append(path.name)
    return found
