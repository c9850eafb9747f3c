"""An inbox as a connector: every mail once, whichever mailboxes it lies in, the newest first."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connectors.access import Access, Password
from connectors.artifact import Artifact, FailureClass, PartitionKey, Priority, Ref, SkipReason
from connectors.connector import Account, Fetched, Partition, Plan, Probe, Scope
from connectors.egress import Policy
from connectors.errors import ConnectorError, SourceInvalid, SourceMissing
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Seen,
    Skipped,
    Total,
    Upsert,
)
from connectors.imap.config import MOST_MAILBOXES, ImapConfig, ImapCursor, Place, scope_of
from connectors.imap.fetching import Fetching
from connectors.imap.protocol import Entry, Status, wanted
from connectors.imap.session import Session
from connectors.mail.attached import Cells, open_cells

MAIL = PartitionKey("mail")
PAGE = 100
_FRESH = 200  # of a mailbox: what a user asks about first
_ROUNDS = 3  # of looking for what came meanwhile; the next run finds what came later


@asynccontextmanager
async def open_imap(
    config: ImapConfig, access: Access, *, page: int = PAGE
) -> AsyncGenerator["ImapConnector"]:
    policy = Policy(hosts=frozenset({config.host.lower()}), ports=frozenset({143, 993}))
    async with open_cells() as cells:
        session = Session(config, access, policy)
        try:
            yield ImapConnector(config, access, session, cells, page)
        finally:
            await session.close()


@dataclass(slots=True)
class ImapConnector:
    """Keeps where each mail lies that it has listed, so that fetching needs no search."""

    config: ImapConfig
    access: Access
    session: Session
    cells: Cells
    page: int = PAGE
    _found: dict[str, tuple[str, int, int]] = field(default_factory=dict[str, tuple[str, int, int]])
    """The mailbox, the UID and the size of each id."""

    async def check(self) -> Sequence[Probe]:
        try:
            names = await self._names()
            for name in names:
                await self.session.status(name)
        except ConnectorError as error:
            return [Probe("inbox", well=False, detail=str(error), action=error.action)]
        return [Probe("inbox", well=True, detail=f"{len(names)} mailboxes at {self.config.host}")]

    async def account(self) -> Account | None:
        credential = await self.access.credential()
        user = credential.user if isinstance(credential, Password) else self.config.user
        return Account(f"{user}@{self.config.host}", user) if user else None

    async def discover(self) -> AsyncIterator[Scope]:
        for name in wanted(await self.session.mailboxes()):
            status = await self.session.status(name)
            yield Scope(scope_of(name), name, f"at {self.config.host}", status.messages)

    async def plan(self) -> Plan:
        names = await self._names()
        messages = sum([(await self.session.status(name)).messages for name in names])
        calls = 3 * (messages // self.page + len(names))
        return Plan((Partition(MAIL, f"Mail at {self.config.host}", messages),), calls)

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        """From what is newest down to what is oldest; then what came while that was read.

        A mailbox that the server numbered anew is listed again. Its mails have kept their ids and
        versions, so none of them is fetched or told twice for that.
        """
        _insist_on_mail(partition)
        start = cursor if isinstance(cursor, ImapCursor) else ImapCursor()
        pinned = await self._pinned()
        places = {name: _place(start.places.get(name), status) for name, status in pinned.items()}
        yield Total(partition, sum(status.messages for status in pinned.values()), exact=False)
        told: set[str] = set()
        missing = await self._missing(pinned)
        for name in missing:
            yield _part_failed(partition, name)
        yield Checkpoint(partition, ImapCursor(places=places))
        spans = [(name, place.validity, 1, place.below - 1) for name, place in places.items()]
        async for name, page, below in self._pages(spans):
            for entry in _new(page, told):
                fresh = places[name].top - entry.uid < _FRESH
                yield self._event(partition, entry, fresh=fresh)
            places[name] = places[name].model_copy(update={"below": below})
            yield Checkpoint(partition, ImapCursor(places=places))
        for name, place in places.items():
            places[name] = place.model_copy(update={"below": 1})
        async for event in self._news(partition, places):
            yield event
        quiet = start.done and start.places == places
        yield Checkpoint(partition, ImapCursor(places=places, done=True), done=True, quiet=quiet)

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        """List the ids of all mails."""
        _insist_on_mail(partition)
        seen: set[str] = set()
        number = 0
        pinned = await self._pinned()
        spans = [(name, now.validity, 1, now.next_uid - 1) for name, now in pinned.items()]
        async for _, page, _ in self._pages(spans):
            for entry in _new(page, seen):
                if not entry.bulk:
                    number += 1
                    yield Seen(Ref(partition, entry.id), entry.version)
        if not await self._missing(pinned):
            yield CensusComplete(number)

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        fetching = Fetching(self.session, self.cells, await self._names(), self._found)
        return await fetching.fetch(refs)

    async def _news(
        self, partition: PartitionKey, places: dict[str, Place]
    ) -> AsyncIterator[Event]:
        """What came, or was moved to where we had been, since the places were pinned."""
        for _ in range(_ROUNDS):
            now = {name: await self.session.status(name) for name in places}
            spans = [
                (name, at.validity, at.top + 1, now[name].next_uid - 1)
                for name, at in places.items()
            ]
            came = False
            async for _, page, _ in self._pages(spans):
                came = True
                for entry in page:
                    yield self._event(partition, entry, fresh=True)
            for name, status in now.items():
                places[name] = _moved_up(places[name], status)
            if not came:
                return
            yield Checkpoint(partition, ImapCursor(places=places))

    async def _pages(
        self, spans: Sequence[tuple[str, int, int, int]]
    ) -> AsyncIterator[tuple[str, list[Entry], int]]:
        """The mails of each mailbox, validity, lowest and highest UID; how far down a page goes."""
        for name, validity, low, high in spans:
            async for page, below in self.session.listed(name, validity, low, high, page=self.page):
                yield name, page, below

    def _event(self, partition: PartitionKey, entry: Entry, *, fresh: bool) -> Event:
        ref = Ref(partition, entry.id)
        if entry.bulk:
            return Skipped(ref, SkipReason.BULK, entry.bulk, entry.title, entry.size)
        self._found[entry.id] = (entry.mailbox, entry.uid, entry.size)
        return Upsert(
            Artifact(
                ref=ref,
                version=entry.version,
                kind="message",
                title=entry.title,
                size=entry.size,
                priority=Priority.FIRST if fresh else Priority.NORMAL,
                created_at=entry.received_at,
            )
        )

    async def _names(self) -> list[str]:
        names = list(self.config.mailboxes) or wanted(await self.session.mailboxes())
        if len(names) > MOST_MAILBOXES:
            raise SourceInvalid(
                f"There are {len(names)} mailboxes at {self.config.host}, and {MOST_MAILBOXES} "
                "can be read as one connection",
                action="Name the mailboxes to read.",
            )
        return names

    async def _pinned(self) -> dict[str, Status]:
        pinned: dict[str, Status] = {}
        for name in await self._names():
            try:
                pinned[name] = await self.session.status(name)
            except SourceMissing:
                continue  # told as a failed part: one mailbox fewer is not an inbox fewer
        if not pinned:
            raise SourceMissing(f"None of the mailboxes can be opened at {self.config.host}")
        return pinned

    async def _missing(self, pinned: Mapping[str, Status]) -> list[str]:
        return [name for name in await self._names() if name not in pinned]


def _place(known: Place | None, now: Status) -> Place:
    if known is not None and known.validity == now.validity:
        return known
    return Place(
        validity=now.validity, top=now.next_uid - 1, below=now.next_uid, messages=now.messages
    )


def _moved_up(place: Place, now: Status) -> Place:
    """Both numbers of one moment: where both are as before, the same mails are there."""
    if now.validity != place.validity or now.next_uid - 1 < place.top:
        return place
    return place.model_copy(update={"top": now.next_uid - 1, "messages": now.messages})


def _new(page: Sequence[Entry], seen: set[str]) -> Iterator[Entry]:
    """Those that were not seen yet, in this mailbox or another, and now are."""
    for entry in page:
        if entry.id not in seen:
            seen.add(entry.id)
            yield entry


def _part_failed(partition: PartitionKey, mailbox: str) -> Failed:
    return Failed(
        None,
        partition,
        FailureClass.NOT_FOUND,
        f"The mailbox {mailbox} cannot be opened",
        "Check that it is still there, or take it out of this connection.",
        title=mailbox,
    )


def _insist_on_mail(partition: PartitionKey) -> None:
    if partition != MAIL:
        raise SourceMissing(f"An inbox has no part called {partition}")
