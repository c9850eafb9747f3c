"""Which runs the owners' pages show that are open here: looked up for all of them, now and then.

A new run rings for the workers, and that is heard here, too; so a card is there at once, and
without a Redis as soon as somebody looks.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from storage import cards
from storage.cards import Card
from storage.database import Database
from storage.errors import DatabaseUnavailable
from storage.ids import TenantId
from storage.wakeup import Wakeup

LOOK_EVERY = timedelta(seconds=5)
AT_MOST_EVERY = timedelta(milliseconds=250)

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Page:
    """An owner's page that is open. ``bell`` is rung when its cards are others."""

    tenant: TenantId
    owner: str
    cards: Sequence[Card]
    bell: asyncio.Event


@dataclass(slots=True)
class Owners:
    database: Database
    wakeup: Wakeup
    turn: asyncio.Semaphore
    """Of all who ask the database at once: a thousand pages may come back together."""

    _pages: set[Page] = field(init=False, default_factory=set[Page])
    _opened: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def look(self, tenant: TenantId, owner: str) -> Sequence[Card]:
        """``DatabaseUnavailable`` passes."""
        return (await self._look(tenant, [owner]))[owner]

    def open(self, tenant: TenantId, owner: str, seen: Sequence[Card], bell: asyncio.Event) -> Page:
        """Go on from what was ``seen`` at a look. Whoever opens must close."""
        page = Page(tenant, owner, seen, bell)
        self._pages.add(page)
        self._opened.set()
        return page

    def close(self, page: Page) -> None:
        self._pages.discard(page)
        if not self._pages:
            self._opened.clear()

    async def run(self) -> None:
        """Look until cancelled, as long as a page is open."""
        while True:
            await self._opened.wait()
            await self.wakeup.wait(LOOK_EVERY.total_seconds())
            try:
                await self._look_again()
            except DatabaseUnavailable as error:
                log.warning("owners.blind", cause=str(error), action=error.action)
            await asyncio.sleep(AT_MOST_EVERY.total_seconds())

    def part(self) -> None:
        """Let everybody look up: the server stops."""
        for page in self._pages:
            page.bell.set()

    async def _look_again(self) -> None:
        for tenant in {page.tenant for page in self._pages}:
            found = await self._look(
                tenant, {page.owner for page in self._pages if page.tenant == tenant}
            )
            for page in self._pages:
                _show(page, found if page.tenant == tenant else {})

    async def _look(
        self, tenant: TenantId, owners: Collection[str]
    ) -> Mapping[str, Sequence[Card]]:
        async with self.turn, self.database.reading() as tx:
            return await cards.of_owners(tx, tenant, owners)


def _show(page: Page, found: Mapping[str, Sequence[Card]]) -> None:
    cards_now = found.get(page.owner, page.cards)
    if cards_now != page.cards:
        page.cards = cards_now
        page.bell.set()
