"""What a run looks like now: from the stream, and from SQL while Redis is away."""

import asyncio
from dataclasses import dataclass, field

import structlog

from api.encoding import Line, line, unplaced
from storage import milestones, runs
from storage.database import Database
from storage.errors import DatabaseUnavailable, Refused, StreamUnavailable
from storage.events import EventLog, Snapshot, State, fold
from storage.ids import RunId, Seq
from storage.relay import LEAP, Relay

PAGE = 500
AT_ONCE = 16
"""Readers that ask at the same time. A thousand pages that reconnect at once wait for their turn in
a queue, instead of opening a thousand connections to Redis and using up those to the database.
"""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """A run as SQL tells it: the fold of its milestones, with counts that are newer.

    While the run goes on this is no place in its stream. Where it ended is one, the very place from
    which the relay would begin a lost stream again: so a reader that has seen the end knows it.
    """

    folded: State
    state: State
    milestones: int
    ended_at: Seq | None = None

    def line(self) -> Line:
        if self.ended_at is None:
            return unplaced(self.state)
        return line(Snapshot(self.ended_at, self.state, ended=True))


NOTHING = Kept({}, {}, 0)


@dataclass(frozen=True, slots=True)
class Pictures:
    database: Database
    log: EventLog
    relay: Relay
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _mending: dict[RunId, "asyncio.Task[None]"] = field(
        default_factory=dict[RunId, "asyncio.Task[None]"]
    )

    async def live(self, run: RunId) -> Snapshot:
        """The stream's own snapshot. A stream that was lost is begun again first."""
        async with self.turn:
            snapshot = await self.log.snapshot(run)
            if snapshot is None:
                await self._begin_again(run)
                snapshot = await self.log.snapshot(run)
        if snapshot is None:
            raise StreamUnavailable(f"Run {run} has no stream.")
        return snapshot

    async def _begin_again(self, run: RunId) -> None:
        try:
            await self.relay.publish(run)
        except DatabaseUnavailable as error:  # where it has no room it can be read all the same
            raise StreamUnavailable(str(error), action=error.action) from error

    async def kept(self, run: RunId, known: Kept = NOTHING) -> Kept:
        """SQL's own picture, from one it gave earlier."""
        number, state = known.milestones, known.folded
        async with self.database.reading() as tx:
            row = await runs.find(tx, run)
            while rows := await milestones.after(tx, run, number, limit=PAGE):
                number = rows[-1][0]
                state = fold(state, (event for _, event in rows))
        if row is None:
            return known
        newest = row.newest(state)
        over = row.finished_at is not None
        return Kept(state, newest, number, Seq((row.seq // LEAP + 1) * LEAP) if over else None)

    async def mend(self, run: RunId) -> None:
        """Publish what SQL has and the stream has not, where nobody else came to do it.

        Those who want it of one run at a time, such as all pages that come back after a restart,
        wait for one of them that does it. It must begin after they came: one that is under way may
        have looked at SQL before they were shown what is there. Raises ``StreamUnavailable``.
        """
        if under_way := self._mending.get(run):
            await asyncio.shield(under_way)
        task = self._mending.get(run)
        if task is None:
            task = asyncio.create_task(self._publish(run), name=f"mend {run}")
            self._mending[run] = task
            task.add_done_callback(lambda done: self._mended(run, done))
        await asyncio.shield(task)

    def _mended(self, run: RunId, task: "asyncio.Task[None]") -> None:
        self._mending.pop(run, None)
        if not task.cancelled():
            task.exception()  # whoever waited may have left: then nobody else looks at it

    async def close(self) -> None:
        for task in (mending := list(self._mending.values())):
            task.cancel()
        await asyncio.gather(*mending, return_exceptions=True)

    async def _publish(self, run: RunId) -> None:
        try:
            async with self.turn:
                await self.relay.publish(run)
        except (DatabaseUnavailable, Refused) as error:
            log.warning("stream.unmended", run_id=str(run), cause=str(error))

    async def probe(self) -> None:
        """Raise ``StreamUnavailable`` unless Redis serves.

        To answer is not enough: what a read-only or full one has to tell grows old, for nobody can
        carry into it what happens.
        """
        await self.log.probe()

    async def reachable(self) -> None:
        """Return when Redis answers again."""
        wait_seconds = 0.25
        while True:
            try:
                await self.probe()
            except StreamUnavailable:
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, 5.0)
            else:
                return
