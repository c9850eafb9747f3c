"""Carries a run's milestones from SQL, where they are the truth, into its stream.

Anybody may do it at any time: after a commit, after Redis came back, when a reader finds no
stream. What the stream already has is left alone, so two at once do no harm.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import and_, update

from storage import crashpoints, milestones, runs
from storage.clock import now
from storage.database import Database
from storage.errors import AttemptFenced, MilestoneAhead, RunEnded, StreamLost
from storage.events import TERMINAL, Event, EventKind, EventLog, Position, State, fold, weigh
from storage.ids import Attempt, RunId, Seq
from storage.runs import Run
from storage.tables import runs as runs_table

log = structlog.get_logger()

LEAP = 2**20
"""A stream begins again so far up that no seq of the lost one, known to SQL or not, returns."""

TRIES = 10
"""Whoever has to try again does so because another got further."""


@dataclass(frozen=True, slots=True)
class Relay:
    database: Database
    log: EventLog
    page: int = 500

    async def publish(self, run_id: RunId) -> Seq | None:
        """Bring the stream up to SQL, beginning it again if it was lost.

        Answers the stream's last seq, or None if there is no such run. Raises
        ``StreamUnavailable`` while Redis cannot be reached; do it again later.
        """
        for _ in range(TRIES - 1):
            try:
                return await self._publish(run_id)
            except (StreamLost, MilestoneAhead, AttemptFenced):  # another got further, just now
                continue
        return await self._publish(run_id)

    async def _publish(self, run_id: RunId) -> Seq | None:
        # SQL first: a stream read later cannot be behind it unless it has lost something.
        async with self.database.reading() as tx:
            run = await runs.find(tx, run_id)
        if run is None:
            return None
        position = await self.log.position(run_id)
        if _must_begin_again(run, position):
            position = await self._seed(run)
        if position is None:
            position = Position(Seq(0), 0, ended=False)
        if position.milestones < run.milestones:
            crashpoints.reached("relay.read")
            await self._append_after(position, run_id)
            position = await self.log.position(run_id) or position
        return await self._level(run, position)

    async def _level(self, run: Run, position: Position) -> Seq:
        """Tell what has moved since the last milestone, where whoever had to tell it has not.

        Otherwise a reader that has seen it in SQL while Redis was away would be taken back.
        """
        newest = run.newest({})
        if position.ended or (weigh(newest) or 0) <= position.weight:
            return position.seq
        tick = Event(kind=EventKind.PROGRESS, at=now(), attempt=run.attempt, patch=newest)
        try:
            return await self.log.append(run.id, tick)
        except RunEnded:  # it is told by others, to its end
            return position.seq

    async def _append_after(self, position: Position, run_id: RunId) -> None:
        number = position.milestones
        while True:
            async with self.database.reading() as tx:
                page = await milestones.after(tx, run_id, number, limit=self.page)
            for number, event in page:
                await self.log.append(run_id, event, milestone=number)
                crashpoints.reached("relay.appended")
            if len(page) < self.page:
                return

    async def _seed(self, run: Run) -> Position:
        seq = await self._leap(run)
        known = await self._known(run.id)
        await self.log.seed(
            run.id,
            known.state,
            seq=seq,
            milestones=known.milestones,
            attempt=known.attempt,
            ended=known.ended,
        )
        crashpoints.reached("relay.seeded")
        log.warning("stream.begun_again", run=str(run.id), seq=seq, milestones=known.milestones)
        return Position(seq, known.milestones, known.ended, weigh(known.state) or 0)

    async def _leap(self, run: Run) -> Seq:
        """Where the stream begins again. SQL remembers it first: the next loss may be near."""
        seq = Seq((run.seq // LEAP + 1) * LEAP)
        unchanged = and_(runs_table.c.id == run.id, runs_table.c.seq == run.seq)
        async with self.database.transaction() as tx:
            leapt = await tx.execute(update(runs_table).where(unchanged).values(seq=seq))
        crashpoints.reached("relay.leapt")
        if leapt.rowcount == 0:
            raise StreamLost(f"Somebody else begins the stream of run {run.id} again.")
        return seq

    async def _known(self, run_id: RunId) -> "_Known":
        """Of one instant: counts that are older than a milestone would take its readers back."""
        state: State = {}
        number, ended = 0, False
        async with self.database.reading() as tx:
            run = await runs.find(tx, run_id)
            while page := await milestones.after(tx, run_id, number, limit=self.page):
                state = fold(state, (event for _, event in page))
                ended = ended or any(_ends(event) for _, event in page)
                number = page[-1][0]
        if run is None:
            raise StreamLost(f"Run {run_id} is not there any more.")
        return _Known(run.newest(state), number, run.attempt, ended)


@dataclass(frozen=True, slots=True)
class _Known:
    """What SQL knows of a run: the state, of how many milestones, in which attempt."""

    state: State
    milestones: int
    attempt: Attempt
    ended: bool


def _must_begin_again(run: Run, position: Position | None) -> bool:
    if position is None:  # SQL knows of a seq that it gave: after a restore, or by what it did
        return run.milestones > 1 or run.seq > 0
    return position.seq < run.seq


def _ends(event: Event) -> bool:
    return event.kind in TERMINAL
