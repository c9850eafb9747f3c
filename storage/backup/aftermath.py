"""After a restore: what Redis has of open runs is of a time that was undone.

Their events are begun again by whoever looks, for SQL knows their place and the relay sees that the
stream is behind it; here nobody has to look. Of an output SQL knows nothing before the run is over.
"""

from sqlalchemy import select

from storage.backup import epoch
from storage.database import Database
from storage.events import EventLog
from storage.ids import Attempt, RunId, Seq
from storage.outputs import stored
from storage.relay import LEAP, Relay
from storage.tables import runs

AT_ONCE = 500


async def settle(database: Database, relay: Relay, outputs: EventLog) -> bool:
    """Begin the streams of open runs again, above what readers may have. Whether it was needed.

    Doing it twice is harmless. Raises ``StreamUnavailable``: then do it later.
    """
    async with database.reading() as tx:
        if not await epoch.pending(tx):
            return False
    after: RunId | None = None
    while some := await _open(database, after):
        for run, attempt in some:
            await relay.publish(run)
            await _begin_again(outputs, run, attempt)
        after = some[-1][0]
    async with database.transaction() as tx:
        await epoch.settled(tx)
    return True


async def _begin_again(outputs: EventLog, run: RunId, attempt: Attempt) -> None:
    position = await outputs.position(run)
    if position is None:
        return
    await outputs.seed(
        run,
        stored(attempt, []),
        seq=Seq((position.seq // LEAP + 1) * LEAP),
        milestones=position.milestones,
        attempt=attempt,
        ended=False,
    )


async def _open(database: Database, after: RunId | None) -> list[tuple[RunId, Attempt]]:
    query = select(runs.c.id, runs.c.attempt).where(runs.c.finished_at.is_(None))
    if after is not None:
        query = query.where(runs.c.id > after)
    async with database.reading() as tx:
        found = await tx.execute(query.order_by(runs.c.id).limit(AT_ONCE))
        return [(RunId(row.id), Attempt(row.attempt)) for row in found]
