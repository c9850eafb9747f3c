"""One listener: what waits to be sent to it, and what it must be told. Always bounded."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

from api.alarm import Alarm
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

    def old_at(self) -> float:
        """When a stream that begins now is to end, by the loop's clock. Not all at once."""
        spread = random.uniform(0.9, 1.1)  # noqa: S311  # nothing secret
        return asyncio.get_running_loop().time() + self.age.total_seconds() * spread


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
    pending: list[Line] = field(default_factory=list[Line])
    bell: asyncio.Event | None = None
    """Rung as well, for whoever listens to several."""

    _waiter: asyncio.Future[None] | None = None
    _alarm: Alarm = field(init=False)

    def __post_init__(self) -> None:
        self._alarm = Alarm(self.wake)

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
        self._waiter = asyncio.get_running_loop().create_future()
        self._alarm.set(until)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Nobody listens any more."""
        self._alarm.close()
