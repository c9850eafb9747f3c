"""A Gmail mailbox as a connector: listed by threads, the newest first, then by what happened since.

A listing costs next to nothing and a download much, so ``read`` tells ids alone, and ``fetch`` asks
for what is wanted of them: a thread as a whole where that is cheaper than its mails.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.access import Access
from connectors.artifact import PartitionKey, Ref
from connectors.connector import Account, Fetched, Partition, Plan, Probe, Scope
from connectors.errors import ConnectorError, SourceMissing
from connectors.events import CensusComplete, CensusEvent, Cursor, Event, Seen
from connectors.gmail.config import GmailConfig, GmailCursor
from connectors.gmail.fetching import Fetching
from connectors.gmail.mailbox import PAGE, Mailbox
from connectors.gmail.protocol import external_id
from connectors.gmail.quota import Prices, prices, rates
from connectors.gmail.walk import STEP, VERSION, GmailWalk
from connectors.google.refusals import Api
from connectors.google.session import Session
from connectors.mail.attached import Cells, open_cells
from connectors.throttle import Bell, Clock, Governor, Turnstile

MAIL = PartitionKey("mail")
GMAIL = "https://gmail.googleapis.com"
_PASSES = 3


@asynccontextmanager
async def open_gmail(
    config: GmailConfig,
    access: Access,
    *,
    origin: str = GMAIL,
    page: int = PAGE,
    step: int = STEP,
    clock: Clock | None = None,
) -> AsyncGenerator["GmailConnector"]:
    table = prices(config)
    bell = Bell()
    turnstile = Turnstile(Governor(rates(table)), bell, clock or Clock())
    async with open_cells() as cells:
        session = Session(Api("Gmail", "gmail", "v1", origin), access, turnstile)
        try:
            mailbox = Mailbox(session, table, page)
            yield GmailConnector(session, table, cells, bell, mailbox, step)
        finally:
            await session.close()


@dataclass(slots=True)
class GmailConnector:
    session: Session
    prices: Prices
    cells: Cells
    bell: Bell
    mailbox: Mailbox
    step: int = STEP

    async def check(self) -> Sequence[Probe]:
        try:
            profile = await self.mailbox.profile()
        except ConnectorError as error:
            return [Probe("mailbox", well=False, detail=str(error), action=error.action)]
        detail = f"{profile['messagesTotal']} messages of {profile['emailAddress']}"
        return [Probe("mailbox", well=True, detail=detail)]

    async def account(self) -> Account | None:
        address = (await self.mailbox.profile())["emailAddress"]
        return Account(address, address)

    async def discover(self) -> AsyncIterator[Scope]:
        profile = await self.mailbox.profile()
        yield Scope(MAIL, profile["emailAddress"], "all mail", profile["messagesTotal"])

    async def plan(self) -> Plan:
        profile = await self.mailbox.profile()
        messages, threads = profile["messagesTotal"], profile["threadsTotal"]
        part = Partition(MAIL, f"Mail of {profile['emailAddress']}", messages)
        return Plan((part,), calls=messages // self.mailbox.page + threads + 2)

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        """List what is there, then replay what happened meanwhile; later, only what happened.

        Raises ``CursorExpired`` if Gmail has forgotten the history since then, as it does after a
        week or sooner: to list again costs five units per 500 mails, and no download.
        """
        _insist_on_mail(partition)
        start = cursor if isinstance(cursor, GmailCursor) else GmailCursor()
        walk = GmailWalk(partition, start, self.mailbox, self.step)
        async for event in self.bell.over(walk.steps()):
            yield event

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        """Every id. Complete only if no mail was deleted during a listing: one might slip."""
        _insist_on_mail(partition)
        seen: set[str] = set()
        for _ in range(_PASSES):
            anchor = (await self.mailbox.profile())["historyId"]
            async for each in self.mailbox.all():
                if each.id not in seen:
                    seen.add(each.id)
                    yield Seen(Ref(partition, external_id(each.id)), VERSION)
            if not await self.mailbox.lost_since(anchor):
                yield CensusComplete(len(seen))
                return

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        fetching = Fetching(self.session, self.prices, self.cells, self.mailbox.thread_of)
        return await fetching.fetch(refs)

    async def arm(self, topic: str) -> datetime:
        """Let Gmail tell the topic of changes; it forgets that after seven days."""
        told = await self.mailbox.watch(topic)
        return datetime.fromtimestamp(int(told["expiration"]) / 1_000, UTC)

    async def disarm(self) -> None:
        await self.mailbox.stop()


def _insist_on_mail(partition: PartitionKey) -> None:
    if partition != MAIL:
        raise SourceMissing(f"A mailbox has no part called {partition}")
