"""One listener: what waits to be sent to it, and what it must be told. Always bounded."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from api.encoding import Line
from storage.ids import RunId, Seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How streams behave."""

    ping: timedelta = timedelta(seconds=15)
    send: timedelta = timedelta(seconds=30)  # one that does not take its bytes is let go
    age: timedelta = timedelta(minutes=15)  # then it reconnects, maybe to another server
    quiet: timedelta = timedelta(seconds=10)  # then the stream may be lost: it is looked into
    poll: timedelta = timedelta(seconds=1)  # of SQL, while Redis is away
    pending: int = 256


@dataclass(slots=True, eq=False)
class Listener:
    """What the hub hands to one stream.

    ``behind``: what follows is not in ``pending`` but in the log, because the listener has just
    come, was too slow, or the log itself was lost. ``doubtful``: the log may lack what SQL has.
    ``farewell``: the stream must end, and why.
    """

    run: RunId
    most: int
    behind: bool = True
    doubtful: bool = False
    farewell: str | None = None
    pending: deque[Line] = field(default_factory=deque[Line])
    bell: asyncio.Event | None = None
    """Rung as well, for whoever listens to several."""

    _waiter: asyncio.Future[None] | None = None

    def offer(self, line: Line) -> None:
        if len(self.pending) >= self.most:
            self.fall_behind()
            return
        self.pending.append(line)
        self.wake()

    def fall_behind(self, *, doubtful: bool = False) -> None:
        self.pending.clear()
        self.behind = True
        self.doubtful |= doubtful
        self.wake()

    def take_doubt(self) -> bool:
        doubtful, self.doubtful = self.doubtful, False
        return doubtful

    def has_next_of(self, place: Seq) -> bool:
        """Whether what follows this place is already waiting here."""
        first = self.pending[0].seq if self.pending else None
        return first is not None and first <= place + 1

    def leave(self, reason: str) -> None:
        self.farewell = self.farewell or reason
        self.wake()

    def wake(self) -> None:
        if self.bell is not None:
            self.bell.set()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, *, until: float) -> None:
        """Return when there is something to do, or at this time of the loop's clock."""
        if self.pending or self.behind or self.farewell:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        alarm = loop.call_at(until, self.wake)
        try:
            await self._waiter
        finally:
            alarm.cancel()
            self._waiter = None
