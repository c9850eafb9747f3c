"""A run as one reader sees it: where it stands, then what happens, to the end, and never silence.

Every reader gets each event exactly once and in order, or a gap and a snapshot after which its
folded state is right again.
"""

import asyncio
from collections.abc import AsyncGenerator

from storage.events import TERMINAL, EventLog, Frame, Gap, Slice, Snapshot
from storage.ids import RunId, Seq

LOOK_SECONDS = 2.0
"""A silence may be a lost stream: look that often whether it is still there."""


async def follow(
    log: EventLog, run: RunId, *, cursor: Seq | None = None, patience_seconds: float = 15.0
) -> AsyncGenerator[Frame]:
    """A snapshot if there is no cursor, and then what follows, until the terminal event.

    A cursor that is not a place in the stream (trimmed, lost, from the future) is answered with a
    gap and a snapshot, at the start or whenever it happens. If the run ended at the cursor, there
    are no frames.

    Ends early when the run has had no stream for ``patience_seconds``: Redis was lost and nobody
    has seeded it yet, or the run is older than what Redis keeps. SQL knows it. A server that does
    not answer raises ``StreamUnavailable``.
    """
    place = cursor
    news = Slice((), complete=False) if place is None else await log.since(run, place)
    while True:
        if not news.complete:
            snapshot = await _arrival(log, run, patience_seconds)
            if snapshot is None:
                return
            if place is not None:
                yield gap(place, snapshot.as_of)
            yield snapshot
            if snapshot.ended:
                return
            place = snapshot.as_of
        for recorded in news.events:
            yield recorded
            place = recorded.seq
        if news.ended:
            return
        news = await _next(log, run, place)


def gap(cursor: Seq, reached: Seq) -> Gap:
    """What a reader at the cursor cannot have any more, now that it gets the state as of another.

    A cursor from the future knows of another stream: all of this one is news to it.
    """
    first = cursor + 1 if 0 <= cursor < reached else 1
    return Gap(Seq(first), reached)


async def _next(log: EventLog, run: RunId, place: Seq | None) -> Slice:
    """What follows the place, or what became of it in a silence."""
    if place is None:
        return Slice((), complete=False)
    events = (await log.tail({run: place}, patience_seconds=LOOK_SECONDS)).get(run, ())
    if events and events[0].seq == place + 1:
        return Slice(tuple(events), complete=True, ended=events[-1].event.kind in TERMINAL)
    return await log.since(run, place)


async def _arrival(log: EventLog, run: RunId, patience_seconds: float) -> Snapshot | None:
    """The state, as soon as there is one. A seeded stream rings no bell, so look now and then."""
    clock = asyncio.get_running_loop().time
    end = clock() + patience_seconds
    while True:
        if snapshot := await log.snapshot(run):
            return snapshot
        if (left := end - clock()) <= 0:
            return None
        await log.tail({run: Seq(0)}, patience_seconds=min(left, LOOK_SECONDS))
