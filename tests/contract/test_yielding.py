"""What only a schedule asked for comes last, and makes room for what somebody waits for."""

from datetime import timedelta

from storage import runs, workers
from storage.connections import Connection
from storage.database import Database
from storage.ids import Attempt, RunId
from storage.runs import BY_SCHEDULE, Run
from tests.asked import claimed, connected, requested


async def scheduled(database: Database, like: Connection, number: int) -> Run:
    connection = await connected(database, like, number)
    async with database.transaction() as tx:
        run, _ = await runs.request(
            tx, like.tenant, connection=connection, workflow="ingest", input=BY_SCHEDULE
        )
    return run


async def asked(database: Database, like: Connection, number: int) -> Run:
    return (await requested(database, await connected(database, like, number)))[0]


async def take(database: Database, limit: int) -> list[RunId]:
    async with database.transaction() as tx:
        taken = await runs.claim(
            tx, worker="one", lease=timedelta(minutes=1), limit=limit, version="1"
        )
    return [run.id for run in taken]


async def yielding(database: Database) -> list[tuple[RunId, Attempt]]:
    async with database.reading() as tx:
        mine = await runs.held(tx, worker="one")
        return list(await runs.yielding(tx, mine, version="1"))


async def present(database: Database, name: str, *, slots: int, held: int) -> None:
    async with database.transaction() as tx:
        await workers.register(tx, name=name, version="1", host="h", pid=1, slots=slots)
        await workers.beat(tx, name, draining=False, held=held)


async def test_what_somebody_asked_for_is_taken_first(
    database: Database, connection: Connection
) -> None:
    later = [await scheduled(database, connection, number) for number in range(2)]
    sooner = await asked(database, connection, 2)

    assert await take(database, 2) == [sooner.id, later[0].id]


async def test_the_youngest_scheduled_runs_make_room_for_as_many_as_wait(
    database: Database, connection: Connection
) -> None:
    held = [await scheduled(database, connection, number) for number in range(3)]
    assert len(await take(database, 3)) == 3
    await present(database, "one", slots=3, held=3)
    for number in (3, 4):
        await asked(database, connection, number)

    assert await yielding(database) == [(held[2].id, 1), (held[1].id, 1)]


async def test_nothing_makes_room_while_another_worker_has_some(
    database: Database, connection: Connection
) -> None:
    await scheduled(database, connection, 0)
    await take(database, 1)
    await present(database, "one", slots=1, held=1)
    await present(database, "two", slots=1, held=0)
    await asked(database, connection, 1)

    assert await yielding(database) == []


async def test_a_schedule_makes_no_room_for_a_schedule_nor_a_person_for_a_person(
    database: Database, connection: Connection
) -> None:
    await asked(database, connection, 0)
    await scheduled(database, connection, 1)
    assert len(await claimed(database, "one")) == 2
    await present(database, "one", slots=2, held=2)
    await scheduled(database, connection, 2)

    assert await yielding(database) == []
