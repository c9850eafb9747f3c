"""A stream that lacks what SQL has, as readers that come to it have it mended."""

import asyncio

from redis.asyncio import Redis

from api.pictures import Pictures
from storage import runs
from storage.counts import Counts
from storage.database import Database
from storage.events import EventKind
from storage.ids import Seq
from storage.relay import Relay
from storage.streams.redis import RedisEventLog
from tests.holding import Held
from tests.serving import Story


async def test_whoever_wants_it_mended_gets_what_sql_had_when_they_came(
    database: Database, redis: Redis
) -> None:
    story = await Story.begin(database, RedisEventLog(redis))
    await story.start()
    await story.milestone(EventKind.QUERYABLE, told=False)
    log = Held(redis)
    pictures = Pictures(database, log, Relay(database, log))

    first = asyncio.create_task(pictures.mend(story.run))
    await log.asked.wait()  # it has read the run
    async with database.transaction() as tx:
        counts = Counts(found=7, processed=7)
        await runs.save(tx, story.run, story.attempt, counts=counts, seq=Seq(2))
    second = asyncio.create_task(pictures.mend(story.run))
    log.go.set()
    await asyncio.gather(first, second)

    snapshot = await log.snapshot(story.run)
    assert snapshot is not None
    assert snapshot.state["counts"]["found"] == 7
