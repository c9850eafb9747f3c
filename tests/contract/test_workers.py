"""Workers say that they live; one of them leads, and another one can."""

import asyncio
from datetime import timedelta

from storage import workers
from storage.clock import shared_now
from storage.database import Database
from storage.tables import workers as workers_table
from storage.workers import ALIVE, FORGOTTEN, Worker

SECONDS = timedelta(seconds=30)


async def joined(database: Database, name: str, version: str = "1") -> None:
    async with database.transaction() as tx:
        await workers.register(tx, name=name, version=version, host="here", pid=7, slots=4)


async def live(database: Database) -> list[Worker]:
    async with database.reading() as tx:
        return await workers.live(tx)


async def silent(database: Database, name: str, since: timedelta) -> None:
    """As if the worker had last been seen so long ago."""
    async with database.transaction() as tx:
        moment = await shared_now(tx)
        await tx.execute(
            workers_table.update()
            .where(workers_table.c.name == name)
            .values(seen_at=moment - since, started_at=moment - since)
        )


async def leads(database: Database, name: str, lease: timedelta = SECONDS) -> bool:
    async with database.transaction() as tx:
        return await workers.lead(tx, name, lease=lease)


async def test_a_worker_is_alive_while_it_says_so(database: Database) -> None:
    await joined(database, "one")
    await joined(database, "two")
    await silent(database, "one", ALIVE * 2)

    (left,) = await live(database)

    assert (left.name, left.version, left.slots, left.held) == ("two", "1", 4, 0)
    assert not left.draining


async def test_a_beat_says_what_it_does(database: Database) -> None:
    await joined(database, "one")
    await silent(database, "one", ALIVE * 2)

    async with database.transaction() as tx:
        known = await workers.beat(tx, "one", draining=True, held=3)

    (one,) = await live(database)
    assert known
    assert (one.draining, one.held) == (True, 3)
    assert one.seen_at > one.started_at


async def test_one_that_comes_again_begins_anew(database: Database) -> None:
    await joined(database, "one")
    async with database.transaction() as tx:
        await workers.beat(tx, "one", draining=True, held=3)

    await joined(database, "one", "2")

    (one,) = await live(database)
    assert (one.version, one.draining, one.held) == ("2", False, 0)


async def test_those_long_gone_are_forgotten_and_told_so(database: Database) -> None:
    await joined(database, "old")
    await silent(database, "old", FORGOTTEN * 2)

    await joined(database, "new")

    async with database.transaction() as tx:
        assert not await workers.beat(tx, "old", draining=False, held=0)


async def test_one_that_leaves_is_gone_at_once(database: Database) -> None:
    await joined(database, "one")

    for _ in range(2):
        async with database.transaction() as tx:
            await workers.leave(tx, "one")

    assert await live(database) == []


async def test_one_of_many_leads(database: Database) -> None:
    answers = await asyncio.gather(*(leads(database, f"w{n}") for n in range(10)))

    assert sum(answers) == 1


async def test_a_leader_goes_on_leading_while_it_says_so(database: Database) -> None:
    assert await leads(database, "one")

    assert await leads(database, "one")
    assert not await leads(database, "two")


async def test_another_leads_when_the_lease_ran_out(database: Database) -> None:
    await leads(database, "one", -SECONDS)

    assert await leads(database, "two")
    assert not await leads(database, "one")


async def test_another_leads_as_soon_as_the_leader_resigns(database: Database) -> None:
    await leads(database, "one")

    async with database.transaction() as tx:
        await workers.resign(tx, "two")  # it cannot speak for the leader
        assert not await workers.lead(tx, "two", lease=SECONDS)
        await workers.resign(tx, "one")

    assert await leads(database, "two")
