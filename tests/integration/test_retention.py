"""What is long over takes little room, and looks the same to whoever comes to look."""

from datetime import timedelta

from sqlalchemy import func, insert, select, text, update

from pipelines.upkeep import Upkeep
from storage import milestones, receipts, retention, runs
from storage.clock import now
from storage.database import Database
from storage.events import EventKind, State
from storage.ids import LOCAL_TENANT, RunId
from storage.streams.memory import MemoryEventLog
from storage.tables import milestones as milestones_table
from storage.tables import outcomes
from storage.tables import runs as runs_table
from tests.serving import Story

STEPS = 5


async def over(database: Database, log: MemoryEventLog, *, days: int, path: str) -> Story:
    """A run that ended so long ago."""
    story = await Story.begin(database, log, path=path)
    await story.start()
    for number in range(STEPS):
        await story.milestone(EventKind.ITEM_FAILED, activity=f"step {number}")
    await story.milestone(EventKind.QUERYABLE, reader={"model": "m"}, searchable=number)
    await story.end()
    async with database.transaction() as tx:
        long_ago = now() - timedelta(days=days)
        mine = update(runs_table).where(runs_table.c.id == story.run)
        await tx.execute(mine.values(finished_at=long_ago))
        row = {"tenant_id": LOCAL_TENANT, "run_id": story.run, "component": "c", "value": 1}
        await tx.execute(insert(outcomes), [row | {"key": str(each)} for each in range(3)])
    return story


async def left(database: Database, run: RunId) -> tuple[int, int]:
    """How many steps and outcomes there are."""
    async with database.reading() as tx:
        steps = select(func.count()).where(milestones_table.c.run_id == run)
        items = select(func.count()).where(outcomes.c.run_id == run)
        return int(await tx.scalar(steps) or 0), int(await tx.scalar(items) or 0)


async def picture(database: Database, run: RunId) -> tuple[State, object]:
    async with database.reading() as tx:
        told = await receipts.receipt(tx, LOCAL_TENANT, run)
        assert told is not None
        return await milestones.folded(tx, run), (told.status, told.counts, told.reader)


async def test_a_run_that_is_long_over_is_its_last_word_and_looks_the_same(
    database: Database,
) -> None:
    log = MemoryEventLog()
    old = await over(database, log, days=91, path="/old")
    before = await picture(database, old.run)
    shown = await log.snapshot(old.run)

    await Upkeep(database, timedelta(days=7), timedelta(days=90)).once()
    log.lose(old.run)
    await old.relay.publish(old.run)

    again = await log.snapshot(old.run)
    assert await left(database, old.run) == (1, 0)
    assert await picture(database, old.run) == before
    assert shown is not None
    assert again is not None
    assert (again.state, again.ended) == (shown.state, True)


async def test_what_is_not_long_over_keeps_its_story(database: Database) -> None:
    log = MemoryEventLog()
    young = await over(database, log, days=89, path="/young")
    running = await Story.begin(database, log, path="/running")
    await running.start()
    before = [await left(database, each.run) for each in (young, running)]

    await Upkeep(database, timedelta(days=7), timedelta(days=90)).once()

    assert [await left(database, each.run) for each in (young, running)] == before


async def test_it_goes_in_small_pieces_whoever_dies_between_them(database: Database) -> None:
    old = await over(database, MemoryEventLog(), days=91, path="/old")
    before = await picture(database, old.run)
    gone: list[int] = []
    while not gone or gone[-1] == 2:
        async with database.transaction() as tx:
            gone.append(await retention.shorten(tx, old.run, limit=2))
        assert await picture(database, old.run) == before
    async with database.transaction() as tx:
        once_more = await retention.shorten(tx, old.run, limit=2)

    assert await left(database, old.run) == (1, 0)
    assert len(gone) > STEPS // 2
    assert once_more == 0


async def test_an_unfinished_run_is_never_shortened(database: Database) -> None:
    running = await Story.begin(database, MemoryEventLog())
    await running.start()

    async with database.transaction() as tx:
        assert await retention.shorten(tx, running.run, limit=100) == 0
        assert await runs.find(tx, running.run) is not None
    assert (await left(database, running.run))[0] == 2


async def test_the_file_gives_back_what_nothing_is_in(database: Database) -> None:
    if database.dialect == "postgresql":
        return  # its autovacuum does
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TABLE filler AS SELECT zeroblob(4000000) AS body"))
        await tx.execute(text("DROP TABLE filler"))
    before = await pages(database)

    await retention.give_back(database)

    assert before > 900
    assert await pages(database) == 0


async def pages(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("PRAGMA freelist_count")) or 0)
