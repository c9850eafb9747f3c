"""The way of a read through a mailbox: down the listing, then along what happened meanwhile."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.artifact import Artifact, Priority, Ref
from connectors.events import Event, Tombstone, Total, Upsert
from connectors.gmail import protocol
from connectors.gmail.config import GmailCursor
from connectors.gmail.mailbox import Mailbox
from connectors.gmail.protocol import Change, external_id
from connectors.google.walk import Phase, Walk

VERSION = "1"  # Gmail's messages never change: an edited draft is another message
FIRST, STEP = 20, 100  # mails between checkpoints: few at first, so that something is there soon


@dataclass(slots=True)
class GmailWalk(Walk[GmailCursor]):
    mailbox: Mailbox
    step: int = STEP

    async def begin(self) -> Sequence[Event]:
        profile = await self.mailbox.profile()
        if not self.place.anchor:
            self.move(anchor=profile["historyId"])
        return [Total(self.partition, profile["messagesTotal"], exact=False)]

    async def down(self) -> AsyncIterator[Sequence[Event]]:
        """All that is there below the place, a step of whole threads at a time."""
        while self.place.phase is Phase.LISTING:
            window, token = await self.mailbox.window(self.place.token)
            threads = protocol.threads(window)
            fresh = not self.place.token and not self.place.after and self.place.passes == 1
            first = min(FIRST if fresh else self.step, self.step)
            for group in _groups(threads, self.place.after, first=first, step=self.step):
                ids = [message for thread in group for message in threads[thread]]
                self.move(after=group[-1])
                yield self.told([self._upsert(message, fresh=fresh) for message in ids])
            self.move(token=token, after="", phase=Phase.LISTING if token else Phase.REPLAY)
            yield self.told([])

    async def along(self) -> AsyncIterator[Sequence[Event]]:
        """What happened since the anchor, and while it is looked at."""
        more = True
        while more:
            told = await self.mailbox.history(self.place.anchor)
            more = told.more
            if told.shrank:
                self.lose()
            self.move(anchor=told.anchor, phase=Phase.REPLAY)
            yield self.told([self._changed(change) for change in told.changes])

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
