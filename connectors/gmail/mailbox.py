"""What Gmail is asked: how much there is, which mails in which threads, and what happened."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from connectors.errors import ArtifactGone, CursorExpired
from connectors.gmail import protocol
from connectors.gmail.protocol import History, Listed
from connectors.gmail.quota import Call, Prices
from connectors.google.client import Ask
from connectors.google.refusals import Answer, Malformed
from connectors.google.session import Session

PAGE = 500
WINDOW = 10  # pages of a listing that are grouped by their threads at once


@dataclass(slots=True)
class Mailbox:
    """Remembers the threads of what it listed."""

    session: Session
    prices: Prices
    page: int = PAGE
    thread_of: dict[str, str] = field(default_factory=dict[str, str])

    async def all(self) -> AsyncIterator[Listed]:
        """Every mail, the newest first."""
        token = ""
        while True:
            page, token = await self.listed(token)
            for each in page:
                yield each
            if not token:
                return

    async def profile(self) -> Answer:
        return await self._ask(Call.PROFILE, lambda gmail: gmail.users().getProfile(userId="me"))

    async def watch(self, topic: str) -> Answer:
        body = {"topicName": topic}
        return await self._ask(
            Call.WATCH, lambda gmail: gmail.users().watch(userId="me", body=body)
        )

    async def stop(self) -> None:
        await self._ask(Call.STOP, lambda gmail: gmail.users().stop(userId="me"))

    async def window(self, token: str) -> tuple[list[Listed], str]:
        found: list[Listed] = []
        for _ in range(WINDOW):
            page, token = await self.listed(token)
            found += page
            if not token:
                break
        self.thread_of |= {each.id: each.thread for each in found}
        return found, token

    async def listed(self, token: str) -> tuple[list[Listed], str]:
        asked = {"userId": "me", "maxResults": self.page, "q": protocol.QUERY}
        if token:
            asked["pageToken"] = token
        try:
            answer = await self._ask(
                Call.LIST, lambda gmail: gmail.users().messages().list(**asked)
            )
        except Malformed as error:
            if not token:
                raise
            raise CursorExpired("Gmail has forgotten the place in its listing") from error
        page, following = protocol.listed(answer)
        if following and following == token:
            raise CursorExpired("Gmail's listing leads back to where it came from")
        return page, following

    async def history(self, anchor: str) -> History:
        asked = {"userId": "me", "startHistoryId": anchor, "maxResults": PAGE}
        try:
            answer = await self._ask(
                Call.HISTORY, lambda gmail: gmail.users().history().list(**asked)
            )
        except ArtifactGone as error:
            raise CursorExpired("Gmail has forgotten what happened since the last time") from error
        told = protocol.history(answer, anchor=anchor)
        self.thread_of |= {change.id: change.thread for change in told.changes}
        return told

    async def lost_since(self, anchor: str) -> bool:
        more = True
        while more:
            try:
                told = await self.history(anchor)
            except CursorExpired:
                return True
            if told.shrank:
                return True
            anchor, more = told.anchor, told.more
        return False

    async def _ask(self, call: Call, ask: Ask) -> Answer:
        return await self.session.one(self.prices.units[call], ask)
