"""A run's events to one client: plain ASGI sends of bytes that all listeners share.

Nothing here grows with a client that does not read: its queue is bounded, a send that takes too
long ends the stream, and what it missed it is told from the log or by a snapshot.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.types import Message

from api.encoding import PING, Format
from api.hub import Hub
from api.lasting import Lasting
from api.outlet import HEADERS, NOTHING_ANSWERS, TOO_OLD, Outlet
from api.reader import Reader
from api.resume import Place
from api.voices import Native, Voice
from storage.errors import DatabaseUnavailable
from storage.ids import RunId, Seq, TenantId


class EventStream(Lasting):
    """The answer that goes on until the run ends, the client leaves, or the server stops."""

    def __init__(
        self,
        hub: Hub,
        tenant: TenantId,
        run: RunId,
        *,
        cursor: Seq | None,
        voice: Voice,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        patience = hub.manner.send
        super().__init__(voice.form, patience, {**HEADERS, **(headers or {})})
        self.hub = hub
        self.tenant = tenant
        self.run = run
        self.cursor = cursor
        self.voice = voice

    def open(self) -> None:
        self.listener = self.hub.join(self.tenant, self.run)

    def leave(self, reason: str) -> None:
        self.listener.leave(reason)

    def close(self) -> None:
        self.hub.leave(self.listener)

    async def serve(self, outlet: Outlet) -> None:
        loop = asyncio.get_running_loop()
        manner, listener = self.hub.manner, self.listener
        reader = Reader(self.hub, listener, Place(self.cursor))
        old_at = manner.old_at()
        while not (reader.place.ended or self.voice.over):
            if loop.time() >= old_at:
                listener.leave(TOO_OLD)
            if listener.farewell is not None:
                if self.voice.native:
                    await outlet.part(listener.farewell)
                return
            if listener.behind:
                await self._refresh(reader, outlet)
            elif listener.pending:
                await outlet.write(b"".join(map(self.voice.say, reader.taken())))
            else:
                ping_at = outlet.wrote_at + manner.ping.total_seconds()
                await listener.wait(until=min(ping_at, old_at))
                if loop.time() >= ping_at:
                    await outlet.write(PING[self.voice.form])

    async def _refresh(self, reader: Reader, outlet: Outlet) -> None:
        try:
            async for each in reader.missed():
                await outlet.write(self.voice.say(each))
        except DatabaseUnavailable:
            reader.listener.leave(NOTHING_ANSWERS)


async def ends_within(hub: Hub, tenant: TenantId, run: RunId, *, seconds: float) -> bool:
    """Whether the run is over by then: it is followed as any client follows it, unheard."""
    stream = EventStream(hub, tenant, run, cursor=None, voice=Native(Format.NDJSON))
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stream.go_on(_silence, _deaf)
    return (await hub.pictures.kept(run)).ended_at is not None


async def _silence() -> Message:
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never


async def _deaf(_message: Message) -> None:
    return
