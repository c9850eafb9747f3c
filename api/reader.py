"""One run as one listener is told it: what it missed, then what comes, each once and in order."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from api.encoding import Line, line
from api.hub import Hub
from api.listening import Listener
from api.resume import Place, catch_up, from_sql
from storage.errors import StreamUnavailable


@dataclass(slots=True, eq=False)
class Reader:
    hub: Hub
    listener: Listener
    place: Place

    async def missed(self) -> AsyncIterator[Line]:
        """What is to be told of the log, or of SQL while Redis is away.

        ``DatabaseUnavailable`` passes.
        """
        run = self.listener.run
        self.listener.behind = False
        self.place.doubtful |= self.listener.take_doubt()
        try:
            async for frame in catch_up(self.hub.pictures, run, self.place, away=self.hub.away):
                yield line(frame)
        except StreamUnavailable:
            for each in from_sql(await self.hub.pictures.kept(run), self.place):
                yield each
            return
        if self.place.cursor is not None and not self.place.ended:
            self.hub.arrived(self.listener, self.place.cursor)

    def taken(self) -> Sequence[Line]:
        """What waits for the listener and follows its place."""
        lines, self.listener.pending = self.listener.pending, []
        return self._following(lines)

    def _following(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Pass over what the reader has; at a hole stop, and have the log asked."""
        out: list[Line] = []
        for each in lines:
            if self.place.has(each):
                continue
            if not self.place.is_followed_by(each):
                self.listener.fall_behind()
                break
            missed = self.place.before(each.seq) if each.whole else None
            if missed is not None:
                out.append(line(missed))
            self.place.show(each)
            out.append(each)
            if each.ends:
                break
        return out
