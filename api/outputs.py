"""What a run's output looks like now: from its own stream, and from SQL where that is gone.

Text and items that a run says live in the stream alone until the run is over; then its result is
in SQL, and the stream can be begun again from there at any time.
"""

from dataclasses import dataclass

from api.pictures import NOTHING, Kept, Pictures
from storage import results, runs
from storage.errors import DatabaseUnavailable, Refused, StreamUnavailable
from storage.events import Snapshot, State
from storage.ids import Attempt, RunId, Seq
from storage.outputs import NOTHING_YET
from storage.runs import Run


@dataclass(frozen=True, slots=True)
class OutputPictures(Pictures):
    async def live(self, run: RunId) -> Snapshot:
        async with self.turn:
            snapshot = await self.log.snapshot(run)
            if snapshot is None:
                await self._begin(run, await self.kept(run))
                snapshot = await self.log.snapshot(run)
        if snapshot is None:
            raise StreamUnavailable(f"Run {run} has no output stream.")
        return snapshot

    async def kept(self, run: RunId, known: Kept = NOTHING) -> Kept:
        async with self.database.reading() as tx:
            row = await runs.find(tx, run)
            result = await results.find(tx, run)
        if row is None:
            return known
        state: State = {**NOTHING_YET, "attempt": row.attempt, "status": row.status}
        if result is not None:
            said = {"text": result.text, "items": list(result.items), "output": result.output}
            state = {**state, **said}
        return Kept(state, state, row.milestones, _end(row))

    async def mend(self, run: RunId) -> None:
        """Close the stream of a run that is over, whose worker died before it could."""
        try:
            kept = await self.kept(run)
            position = await self.log.position(run)
            if kept.ended_at is not None and not (position and position.ended):
                await self._begin(run, kept)
        except (DatabaseUnavailable, Refused):
            return  # whoever listens asks again

    async def _begin(self, run: RunId, kept: Kept) -> None:
        await self.log.seed(
            run,
            kept.state,
            seq=kept.ended_at or Seq(0),
            milestones=0,
            attempt=Attempt(kept.state["attempt"]),
            ended=kept.ended_at is not None,
        )


def _end(run: Run) -> Seq | None:
    """A place that every process works out alike, and beyond all that was counted from 1."""
    return Seq(int(run.finished_at.timestamp() * 1000)) if run.finished_at else None
