"""The way of a read through a mailbox: down the listing, then along what happened meanwhile."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.artifact import Artifact, PartitionKey, Priority, Ref
from connectors.events import Checkpoint, Event, Tombstone, Total, Upsert
from connectors.gmail import protocol
from connectors.gmail.config import GmailCursor, Phase
from connectors.gmail.mailbox import Mailbox
from connectors.gmail.protocol import Change, external_id

VERSION = "1"  # Gmail's messages never change: an edited draft is another message
FIRST, STEP = 20, 100  # mails between checkpoints: few at first, so that something is there soon
_PASSES = 3


@dataclass(slots=True)
class Walk:
    mailbox: Mailbox
    partition: PartitionKey
    place: GmailCursor
    step: int = STEP

    async def steps(self) -> AsyncGenerator[Sequence[Event]]:
        """Events up to a checkpoint each. Raises ``CursorExpired``."""
        profile = await self.mailbox.profile()
        if not self.place.anchor:
            self._move(anchor=profile["historyId"])
        elif self.place.phase is Phase.DONE and self.place.lost:
            self._begin_again()
        total = Total(self.partition, profile["messagesTotal"], exact=False)
        yield [total, Checkpoint(self.partition, self.place)]
        while True:
            async for events in self._down():
                yield events
            async for events in self._along():
                yield events
            if not self.place.lost or self.place.passes >= _PASSES:
                break
            self._begin_again()
        # If it is lost even now, the next read lists again: nothing stays away for good.
        self._move(phase=Phase.DONE, passes=0)
        yield [Checkpoint(self.partition, self.place, done=True)]

    def _begin_again(self) -> None:
        """Pages may be counted from the top: one mail deleted above moves another past us."""
        passes = self.place.passes + 1
        self._move(phase=Phase.LISTING, token="", after="", passes=passes, lost=False)

    async def _down(self) -> AsyncIterator[Sequence[Event]]:
        """All that is there below the place, a step of whole threads at a time."""
        while self.place.phase is Phase.LISTING:
            window, token = await self.mailbox.window(self.place.token)
            threads = protocol.threads(window)
            fresh = not self.place.token and not self.place.after and self.place.passes == 1
            first = min(FIRST if fresh else self.step, self.step)
            for group in _groups(threads, self.place.after, first=first, step=self.step):
                ids = [message for thread in group for message in threads[thread]]
                self._move(after=group[-1])
                yield self._told([self._upsert(message, fresh=fresh) for message in ids])
            self._move(token=token, after="", phase=Phase.LISTING if token else Phase.REPLAY)
            yield self._told([])

    async def _along(self) -> AsyncIterator[Sequence[Event]]:
        """What happened since the anchor, and while it is looked at."""
        more = True
        while more:
            told = await self.mailbox.history(self.place.anchor)
            more = told.more
            gone = self.place.passes > 0 and told.shrank
            self._move(anchor=told.anchor, phase=Phase.REPLAY, lost=self.place.lost or gone)
            yield self._told([self._changed(change) for change in told.changes])

    def _move(self, **place: object) -> None:
        self.place = self.place.model_copy(update=place)

    def _told(self, events: Sequence[Event]) -> Sequence[Event]:
        return [*events, Checkpoint(self.partition, self.place)]

    def _changed(self, change: Change) -> Event:
        if change.gone:
            return Tombstone(Ref(self.partition, external_id(change.id)))
        return self._upsert(change.id, fresh=True)

    def _upsert(self, message: str, *, fresh: bool) -> Upsert:
        ref = Ref(self.partition, external_id(message))
        priority = Priority.FIRST if fresh else Priority.NORMAL
        return Upsert(
            Artifact(ref=ref, version=VERSION, kind="message", title="", priority=priority)
        )


def _groups(
    threads: Mapping[str, Sequence[str]], after: str, *, first: int, step: int
) -> Iterator[list[str]]:
    """The threads that follow, as many at a time as have so many mails together."""
    names = list(threads)
    group: list[str] = []
    most, mails = first, 0
    for name in names[names.index(after) + 1 if after in threads else 0 :]:
        if group and mails + len(threads[name]) > most:
            yield group
            group, mails, most = [], 0, step
        group.append(name)
        mails += len(threads[name])
    if group:
        yield group
