"""All runs of an owner's page on one connection, each told as on a stream of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from api.cursors import seal
from api.encoding import PING, Format, Line
from api.hub import Hub
from api.lasting import Lasting
from api.outlet import HEADERS, NOTHING_ANSWERS, TOO_OLD, Outlet
from api.owners import Owners
from api.reader import Reader
from api.resume import Place
from storage.cards import Card
from storage.errors import DatabaseUnavailable
from storage.ids import RunId, Seq, TenantId

LINGER_SECONDS = 10.0
"""A run that left the page is told to its end, or for so long."""


@dataclass(slots=True)
class Deck:
    """The readers of a page, by run. ``places``: what somebody had been told who comes back."""

    hub: Hub
    tenant: TenantId
    places: Mapping[RunId, Seq]
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    readers: dict[RunId, Reader] = field(default_factory=dict[RunId, Reader])
    _leaving: dict[RunId, float] = field(default_factory=dict[RunId, float])

    def deal(self, cards: Sequence[Card]) -> None:
        """Listen to these; what is not among them any more is told to its end."""
        now = asyncio.get_running_loop().time()
        shown = {card.run for card in cards}
        for run in shown - self.readers.keys():
            listener = self.hub.join(self.tenant, run, bell=self.bell)
            self.readers[run] = Reader(self.hub, listener, Place(self.places.get(run)))
        for run in self.readers:
            if run in shown:
                self._leaving.pop(run, None)
            else:
                self._leaving.setdefault(run, now + LINGER_SECONDS)

    def tidy(self) -> None:
        """Forget those that left the page and have no more to tell."""
        now = asyncio.get_running_loop().time()
        for run, until in list(self._leaving.items()):
            if self.readers[run].place.ended or now >= until:
                self.hub.leave(self.readers.pop(run).listener)
                del self._leaving[run]

    def close(self) -> None:
        for reader in self.readers.values():
            self.hub.leave(reader.listener)
        self.readers.clear()

    @property
    def farewell(self) -> str | None:
        said = (reader.listener.farewell for reader in self.readers.values())
        return next(filter(None, said), self.hub.closing)

    @property
    def cursor(self) -> dict[RunId, Seq]:
        """Where the client is. A state from SQL is no place to go on from."""
        return {
            run: reader.place.cursor
            for run, reader in self.readers.items()
            if reader.place.cursor is not None and not reader.place.adrift
        }

    async def told(self) -> AsyncIterator[tuple[RunId, Sequence[Line]]]:
        """What there is to tell now. ``DatabaseUnavailable`` passes."""
        for run, reader in list(self.readers.items()):
            if reader.place.ended:
                continue
            if reader.listener.behind:
                async for each in reader.missed():
                    yield run, [each]
            elif reader.listener.pending:
                yield run, reader.taken()


class CardStream(Lasting):
    """The answer that goes on until the client leaves or the server stops: new runs may come."""

    def __init__(
        self,
        hub: Hub,
        owners: Owners,
        tenant: TenantId,
        owner: str,
        *,
        places: Mapping[RunId, Seq],
        form: Format,
    ) -> None:
        super().__init__(form, hub.manner.send, HEADERS)
        self.owners = owners
        self.owner = owner
        self.deck = Deck(hub, tenant, places)
        self.left: str | None = None
        self.seen: Sequence[Card] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Here a database that does not answer is still a problem to be told.
        self.seen = await self.owners.look(self.deck.tenant, self.owner)
        await super().__call__(scope, receive, send)

    def open(self) -> None:
        self.page = self.owners.open(self.deck.tenant, self.owner, self.seen, self.deck.bell)

    def leave(self, reason: str) -> None:
        self.left = self.left or reason
        self.deck.bell.set()

    def close(self) -> None:
        self.owners.close(self.page)
        self.deck.close()

    async def serve(self, outlet: Outlet) -> None:
        loop, manner = asyncio.get_running_loop(), self.deck.hub.manner
        old_at = manner.old_at()
        dealt: Sequence[Card] | None = None
        while True:
            self.deck.bell.clear()
            if loop.time() >= old_at:
                self.leave(TOO_OLD)
            if reason := self.left or self.deck.farewell:
                await outlet.part(reason)
                return
            if self.page.cards != dealt:
                dealt = self.page.cards
                self.deck.deal(dealt)
                await outlet.write(self._cards(dealt))
            await self._tell(outlet)
            self.deck.tidy()
            await self._rest(outlet, until=old_at)

    async def _tell(self, outlet: Outlet) -> None:
        try:
            async for run, lines in self.deck.told():
                await outlet.write(b"".join(self._dressed(run, lines)))
        except DatabaseUnavailable:
            self.leave(NOTHING_ANSWERS)

    async def _rest(self, outlet: Outlet, *, until: float) -> None:
        """Until there is something to do, saying now and then that we are here."""
        ping_at = outlet.wrote_at + self.deck.hub.manner.ping.total_seconds()
        left = min(ping_at, until) - asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self.deck.bell.wait()
        if asyncio.get_running_loop().time() >= ping_at:
            await outlet.write(PING[self.form])

    def _dressed(self, run: RunId, lines: Iterable[Line]) -> Iterable[bytes]:
        cursor = self.deck.cursor
        for each in lines:
            if each.seq is not None:
                cursor[run] = each.seq
            yield dressed(each, run, seal(cursor), self.form)

    def _cards(self, cards: Sequence[Card]) -> bytes:
        shown = json.dumps(as_frame(cards), separators=(",", ":"))
        if self.form is Format.SSE:
            return f"event: cards\ndata: {shown}\n\n".encode()
        return f'{{"type":"cards",{shown[1:]}\n'.encode()


def as_frame(cards: Sequence[Card]) -> dict[str, Any]:
    """Which runs the page shows, the newest first."""
    return {
        "runs": [{"run_id": str(card.run), "connection_id": str(card.connection)} for card in cards]
    }


def dressed(line: Line, run: RunId, cursor: str, form: Format) -> bytes:
    """A frame of a run's stream as one of its owner's: with the run, and a place in all of them.

    A gap has no place. After a state from SQL the place is one without its run.
    """
    kind, _, rest = line.ndjson.partition(b",")  # {"type":"…"
    body = b'{"run_id":"%s",%s' % (str(run).encode(), rest)
    no_place = line.seq is None and not line.sse.startswith(b"id:")
    if form is Format.NDJSON:
        place = b"" if no_place else b'"cursor":"%s",' % cursor.encode()
        return b"%s,%s%s" % (kind, place, body[1:])
    head = b"" if no_place else b"id: %s\n" % cursor.encode()
    return b"%sevent: %s\ndata: %s\n" % (head, kind[len(b'{"type":"') : -1], body)
