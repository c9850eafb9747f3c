"""The workers there are, and which of them watches over the others.

A worker is alive while it says so. Its row is for people and for deployments; whether a *run* is
held is told by the run's own lease.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update

from storage.bulk import insert
from storage.clock import shared_now
from storage.database import Tx
from storage.tables import facts, workers

ALIVE = timedelta(seconds=15)
FORGOTTEN = timedelta(days=1)
MONITOR = "monitor"
"""The fact that says who watches, and until when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    name: str
    version: str
    host: str
    pid: int
    slots: int
    held: int
    draining: bool
    started_at: datetime
    seen_at: datetime


async def register(tx: Tx, *, name: str, version: str, host: str, pid: int, slots: int) -> None:
    moment = await shared_now(tx)
    row = {
        "name": name,
        "version": version,
        "host": host,
        "pid": pid,
        "slots": slots,
        "held": 0,
        "draining": False,
        "started_at": moment,
        "seen_at": moment,
    }
    statement = insert(tx, workers).values(row)
    await tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    await tx.execute(delete(workers).where(workers.c.seen_at < moment - FORGOTTEN))


async def beat(tx: Tx, name: str, *, draining: bool, held: int) -> bool:
    """Say that it lives. False if it is forgotten: it must register again."""
    seen = update(workers).where(workers.c.name == name)
    values = {"seen_at": await shared_now(tx), "draining": draining, "held": held}
    return (await tx.execute(seen.values(values))).rowcount == 1


async def leave(tx: Tx, name: str) -> None:
    await tx.execute(delete(workers).where(workers.c.name == name))


async def live(tx: Tx, *, within: timedelta = ALIVE) -> list[Worker]:
    """Those who were seen lately, by name; also those that are draining."""
    since = await shared_now(tx) - within
    query = select(workers).where(workers.c.seen_at >= since).order_by(workers.c.name)
    return [_worker(row) for row in await tx.execute(query)]


async def lead(tx: Tx, name: str, *, lease: timedelta) -> bool:
    """Whether this worker is the one that watches, from now on for as long as the lease says."""
    moment = await shared_now(tx)
    mine = {"worker": name, "until": (moment + lease).isoformat()}
    made = insert(tx, facts).values(key=MONITOR, value=mine).on_conflict_do_nothing()
    if (await tx.execute(made)).rowcount == 1:
        return True
    watch = select(facts.c.value).where(facts.c.key == MONITOR).with_for_update()
    theirs = (await tx.execute(watch)).scalar_one()
    if theirs["worker"] != name and datetime.fromisoformat(theirs["until"]) > moment:
        return False
    await tx.execute(update(facts).where(facts.c.key == MONITOR).values(value=mine))
    return True


async def resign(tx: Tx, name: str) -> None:
    """Let another one watch at once."""
    watch = select(facts.c.value).where(facts.c.key == MONITOR).with_for_update()
    theirs = (await tx.execute(watch)).scalar_one_or_none()
    if theirs and theirs["worker"] == name:
        await tx.execute(delete(facts).where(facts.c.key == MONITOR))


def _worker(row: Row[Any]) -> Worker:
    return Worker(
        name=row.name,
        version=row.version,
        host=row.host,
        pid=row.pid,
        slots=row.slots,
        held=row.held,
        draining=row.draining,
        started_at=row.started_at,
        seen_at=row.seen_at,
    )
