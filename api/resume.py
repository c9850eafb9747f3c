"""What a reader of a run needs to be up to date, whatever place it left off at."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.encoding import Line
from api.pictures import Pictures
from storage.errors import StreamUnavailable
from storage.events import Frame, Slice
from storage.ids import RunId, Seq
from storage.readers import gap

SLICE = 500
REPLAY_MOST = 1_000
"""Whoever is further behind gets the state instead: that costs the same however long the run."""


@dataclass(slots=True)
class Place:
    """Where a reader is in a run's stream.

    ``adrift``: it has since been shown a state from SQL that may be newer than its cursor, so that
    to go on from there would take it back.
    """

    cursor: Seq | None
    adrift: bool = False
    ended: bool = False

    def has(self, line: Line) -> bool:
        """Whether the reader has been told this event already."""
        if line.whole or line.seq is None or self.cursor is None or self.adrift:
            return False
        return line.seq <= self.cursor

    def is_followed_by(self, line: Line) -> bool:
        if line.whole:
            return True
        return self.cursor is not None and line.seq == self.cursor + 1 and not self.adrift

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
    if place.adrift:  # what SQL told may be missing in the stream that came back
        await pictures.mend(run)
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
        yield gap(place.cursor, snapshot)
    place.take(snapshot.as_of, ends=snapshot.ended)
    yield snapshot


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
