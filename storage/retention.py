"""What is left of runs that are long over: their rows, what they came to, and their last word.

The story of a run is folded into its last milestone, so that whoever looks sees the same state and
the relay begins the same stream; the steps in between are gone, and so is what only a next attempt
would have needed.
"""

from datetime import datetime

from sqlalchemy import Delete, Table, delete, exists, or_, select, update

from storage import milestones
from storage.database import Database, Tx
from storage.ids import RunId
from storage.tables import milestones as milestones_table
from storage.tables import outcomes, runs

PAGES = 2_000
"""Of SQLite's file, given back at once: some 8 MB."""


async def long_over(
    tx: Tx, *, before: datetime, after: RunId | None = None, limit: int
) -> list[RunId]:
    """Runs that ended before then, and of which there is more than is to be left."""
    steps = exists().where(
        milestones_table.c.run_id == runs.c.id, milestones_table.c.number < runs.c.milestones
    )
    items = exists().where(outcomes.c.run_id == runs.c.id)
    query = select(runs.c.id).where(runs.c.finished_at < before, or_(steps, items))
    if after is not None:
        query = query.where(runs.c.id > after)
    return [RunId(run) for run in await tx.scalars(query.order_by(runs.c.id).limit(limit))]


async def shorten(tx: Tx, run: RunId, *, limit: int) -> int:
    """Drop some of it, the first steps first. Answers how many rows; fewer than ``limit``: all."""
    over = select(runs.c.milestones).where(runs.c.id == run, runs.c.finished_at.is_not(None))
    last = await tx.scalar(over.with_for_update())
    if last is None:
        return 0
    of_it = milestones_table.c.run_id == run
    steps = select(milestones_table.c.number).where(of_it, milestones_table.c.number < last)
    some = list(await tx.scalars(steps.order_by(milestones_table.c.number).limit(limit)))
    if some:
        whole = dict(await milestones.folded(tx, run))
        end = update(milestones_table).where(of_it, milestones_table.c.number == last)
        await tx.execute(end.values(patch=whole))
        await tx.execute(_these(milestones_table, "number", run, some))
    if len(some) == limit:
        return limit
    keys = select(outcomes.c.key).where(outcomes.c.run_id == run).limit(limit - len(some))
    done = list(await tx.scalars(keys))
    await tx.execute(_these(outcomes, "key", run, done))
    return len(some) + len(done)


async def give_back(database: Database) -> None:
    """Let SQLite's file shrink a little, and its planner know what is in it.

    PostgreSQL sees to both by itself.
    """
    if database.dialect != "sqlite":
        return
    async with database.writer.connect() as connection:
        await connection.exec_driver_sql("COMMIT")  # a script begins outside of transactions
        driver = (await connection.get_raw_connection()).driver_connection
        # Only a script is run to its end: a statement without an answer would free one page.
        await driver.executescript(  # type: ignore[union-attr]  # it is connected
            f"PRAGMA incremental_vacuum({PAGES}); PRAGMA analysis_limit=400; PRAGMA optimize"
        )
        await connection.exec_driver_sql("BEGIN")


def _these(table: Table, key: str, run: RunId, some: list[int] | list[str]) -> Delete:
    return delete(table).where(table.c.run_id == run, table.c[key].in_(some))
