"""A restored database has forgotten what it told the world since: nothing of that may come again.

Streams in Redis, flow runs in Prefect and readers everywhere know numbers that it has not given
yet. Each kind goes on far above whatever it may have given: then a stream that is of the lost time
is behind SQL, the relay begins it again, and its readers get a gap and a snapshot.
"""

from datetime import datetime

from sqlalchemy import case, delete, func, inspect, select, text, update

from storage.bulk import insert
from storage.database import Tx
from storage.relay import LEAP
from storage.tables import facts, metadata, runs

FACT = "restored"
ATTEMPTS = 100
"""By which the token of an open run leaps: also who was at it in the lost time writes nothing."""

IDS = 2**20


async def highest(tx: Tx) -> int:
    """The furthest that a stream has come, as far as the database that is replaced knows it."""
    if not await tx.run_sync(lambda connection: inspect(connection).has_table(runs.name)):
        return 0
    return int(await tx.scalar(select(func.max(runs.c.seq))) or 0)


async def begin(tx: Tx, sequences: dict[str, int], *, moment: datetime, above: int) -> None:
    """Leap, also ``above`` what was replaced. That Redis is to be looked through is remembered."""
    await _leap_streams(tx, max(int(moment.timestamp()), above // LEAP + 1))
    still_open = runs.c.finished_at.is_(None)
    await tx.execute(update(runs).where(still_open).values(attempt=runs.c.attempt + ATTEMPTS))
    for name, last in sequences.items():
        await _leap_ids(tx, name, last)
    row = {"key": FACT, "value": {"at": moment.isoformat()}}
    fact = insert(tx, facts).values(row)
    await tx.execute(
        fact.on_conflict_do_update(index_elements=["key"], set_={"value": row["value"]})
    )


async def pending(tx: Tx) -> bool:
    """Whether a restore has still to be told to Redis."""
    return await tx.scalar(select(facts.c.key).where(facts.c.key == FACT)) is not None


async def settled(tx: Tx) -> None:
    await tx.execute(delete(facts).where(facts.c.key == FACT))


async def _leap_streams(tx: Tx, leaps: int) -> None:
    """To a place that is the time itself, a leap a second: above any stream begun before it.

    It has room up to the year 2242 below 2**53, where JavaScript's numbers end.
    """
    place = leaps * LEAP
    above = (runs.c.seq // LEAP + 1) * LEAP  # the clock was wrong, once or now
    await tx.execute(update(runs).values(seq=case((runs.c.seq < place, place), else_=above)))


async def _leap_ids(tx: Tx, name: str, last: int) -> None:
    table = metadata.tables[name]
    highest = int(await tx.scalar(select(func.max(table.c.id))) or 0)
    above = max(last, highest) + IDS
    if tx.dialect.name == "postgresql":
        raised = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :above)")
        await tx.execute(raised, {"table": name, "above": above})
        return
    kept = text("UPDATE sqlite_sequence SET seq = :above WHERE name = :table")
    if not (await tx.execute(kept, {"table": name, "above": above})).rowcount:
        made = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :above)")
        await tx.execute(made, {"table": name, "above": above})
