"""What a reader of a run needs to be up to date, whatever place it left off at."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from api.encoding import Line, line
from api.pictures import Kept, Pictures
from storage.errors import StreamUnavailable
from storage.events import Frame, Gap, Slice
from storage.ids import RunId, Seq
from storage.readers import gap

SLICE = 500
REPLAY_MOST = 1_000
"""Whoever is further behind gets the state instead: that costs the same however long the run."""


@dataclass(slots=True)
class Place:
    """Where a reader is in a run's stream.

    ``adrift``: it has since been shown a state from SQL that may be newer than its cursor, so that
    to go on from there would take it back. ``doubtful``: the stream may lack what SQL has, because
    whoever had to tell it died, or nobody could while Redis was away.
    """

    cursor: Seq | None
    adrift: bool = False
    doubtful: bool = True
    ended: bool = False
    shown: int = 0
    """The weight of the latest state from SQL. Whoever else looks there may come later with one
    that is older.
    """

    def has(self, line: Line) -> bool:
        """Whether the reader has been told this already."""
        if line.weight is not None:
            return line.weight < self.shown
        if line.whole or line.seq is None or self.cursor is None or self.adrift:
            return False
        return line.seq <= self.cursor

    def is_followed_by(self, line: Line) -> bool:
        if line.whole:
            return True
        return self.cursor is not None and line.seq == self.cursor + 1 and not self.adrift

    def before(self, seq: Seq | None) -> Gap | None:
        """What a reader must be told before a whole state, so that it knows what it will not get.

        ``seq`` is the state's place, None for one that is no place: that leaves the reader where it
        is, and what it misses is told when the stream is back.
        """
        if seq is None or self.cursor is None or self.cursor == seq:
            return None
        return gap(self.cursor, seq)

    def show(self, line: Line) -> None:
        self.shown = max(self.shown, line.weight or 0)
        self.take(line.seq, ends=line.ends)

    def take(self, frame_seq: Seq | None, *, ends: bool) -> None:
        self.adrift = frame_seq is None
        self.cursor = self.cursor if frame_seq is None else frame_seq
        self.ended = ends


async def catch_up(
    pictures: Pictures, run: RunId, place: Place, *, away: bool = False
) -> AsyncIterator[Frame]:
    """What the log has after the place, moving it; or a snapshot, where that says it sooner.

    ``StreamUnavailable`` passes.
    """
    if away:  # known already: do not make the reader wait for it to be found out again
        raise StreamUnavailable("Redis does not answer.")
    if place.adrift or place.doubtful:
        await pictures.mend(run)
        place.doubtful = False
    replayed = 0
    while place.cursor is not None and not place.adrift and replayed < REPLAY_MOST:
        news = await _after(pictures, run, place.cursor, replayed)
        if news is None:
            break
        for recorded in news.events:
            place.take(recorded.seq, ends=False)
            yield recorded
        place.ended = news.ended
        replayed += len(news.events)
        if news.ended or len(news.events) < SLICE:
            return
    snapshot = await pictures.live(run)
    if place.cursor is not None:
        yield gap(place.cursor, snapshot.as_of)
    place.take(snapshot.as_of, ends=snapshot.ended)
    yield snapshot


def from_sql(kept: Kept, place: Place) -> Sequence[Line]:
    """What to send while Redis is away: SQL's picture, after a gap where it is the run's end."""
    shown = kept.line()
    missed = place.before(shown.seq)
    place.show(shown)
    return [shown] if missed is None else [line(missed), shown]


async def _after(pictures: Pictures, run: RunId, cursor: Seq, replayed: int) -> Slice | None:
    """The next slice, or None where the reader is better off with a snapshot."""
    if cursor < 0:
        return None
    async with pictures.turn:
        news = await pictures.log.since(run, cursor, limit=SLICE)
        if not news.complete:
            return None
        if replayed == 0 and len(news.events) == SLICE:
            position = await pictures.log.position(run)
            if position is None or position.seq - cursor > REPLAY_MOST:
                return None
    return news
