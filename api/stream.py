"""A run's events to one client: plain ASGI sends of bytes that all listeners share.

Nothing here grows with a client that does not read: its queue is bounded, a send that takes too
long ends the stream, and what it missed it is told from the log or by a snapshot.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.encoding import PING, Format, Line, goodbye, line
from api.hub import Hub
from api.listening import Listener
from api.resume import Place, catch_up, from_sql
from storage.errors import DatabaseUnavailable, StreamUnavailable
from storage.ids import RunId, Seq, TenantId

RETRY_MILLISECONDS = 3_000
GONE = "gone"
TOO_OLD = "age"
NOTHING_ANSWERS = "unavailable"


class EventStream(Response):
    """The answer that goes on until the run ends, the client leaves, or the server stops."""

    def __init__(
        self, hub: Hub, tenant: TenantId, run: RunId, *, cursor: Seq | None, form: Format
    ) -> None:
        super().__init__(
            media_type=form.value,
            headers={
                "Cache-Control": "no-cache, no-transform",
                "X-Accel-Buffering": "no",
                "Vary": "Accept",
            },
        )
        del self.headers["content-length"]
        self.hub = hub
        self.tenant = tenant
        self.run = run
        self.cursor = cursor
        self.form = form

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        listener = self.hub.join(self.tenant, self.run)
        watch = asyncio.create_task(_notice(receive, listener))
        outlet = Outlet(send, self.form, self.hub.manner.send.total_seconds())
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await self._serve(listener, outlet)
            await outlet.close()
        except TimeoutError:
            pass  # it does not read: the server drops the connection of an unfinished answer
        finally:
            watch.cancel()
            self.hub.leave(listener)

    async def _serve(self, listener: Listener, outlet: "Outlet") -> None:
        loop = asyncio.get_running_loop()
        manner = self.hub.manner
        old_at = loop.time() + manner.age.total_seconds() * random.uniform(0.9, 1.1)  # noqa: S311
        place = Place(self.cursor)
        if self.form is Format.SSE:
            await outlet.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
        while not place.ended:
            if loop.time() >= old_at:
                listener.leave(TOO_OLD)
            if listener.farewell is not None:
                await _part(listener.farewell, outlet)
                return
            if listener.behind:
                await self._refresh(listener, place, outlet)
            elif listener.pending:
                await outlet.write(self._taken(listener, place))
            else:
                ping_at = outlet.wrote_at + manner.ping.total_seconds()
                await listener.wait(until=min(ping_at, old_at))
                if loop.time() >= ping_at:
                    await outlet.write(PING[self.form])

    async def _refresh(self, listener: Listener, place: Place, outlet: "Outlet") -> None:
        try:
            await self._catch_up(listener, place, outlet)
        except DatabaseUnavailable:
            listener.leave(NOTHING_ANSWERS)

    async def _catch_up(self, listener: Listener, place: Place, outlet: "Outlet") -> None:
        listener.behind = False
        place.doubtful |= listener.take_doubt()
        try:
            async for frame in catch_up(self.hub.pictures, self.run, place, away=self.hub.away):
                await outlet.write(line(frame).bytes_in(self.form))
        except StreamUnavailable:
            shown = from_sql(await self.hub.pictures.kept(self.run), place)
            await outlet.write(b"".join(each.bytes_in(self.form) for each in shown))
            return
        if place.cursor is not None and not place.ended:
            self.hub.arrived(listener, place.cursor)

    def _taken(self, listener: Listener, place: Place) -> bytes:
        """What waits for the listener and follows its place, as one write."""
        lines = list(listener.pending)
        listener.pending.clear()
        return b"".join(_following(lines, place, listener, self.form))


async def ends_within(hub: Hub, tenant: TenantId, run: RunId, *, seconds: float) -> bool:
    """Whether the run is over by then: it is followed as any client follows it, unheard."""
    stream = EventStream(hub, tenant, run, cursor=None, form=Format.NDJSON)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stream({}, _silence, _deaf)
    return (await hub.pictures.kept(run)).ended_at is not None


async def _silence() -> Message:
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never


async def _deaf(_message: Message) -> None:
    return


@dataclass(slots=True)
class Outlet:
    """The way to the client; ``wrote_at`` is when it last got something."""

    send: Send
    form: Format
    patience_seconds: float
    wrote_at: float = 0.0

    async def write(self, data: bytes, *, more: bool = True) -> None:
        message = {"type": "http.response.body", "body": data, "more_body": more}
        async with asyncio.timeout(self.patience_seconds):
            await self.send(message)
        self.wrote_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        await self.write(b"", more=False)


def _following(
    lines: Sequence[Line], place: Place, listener: Listener, form: Format
) -> Sequence[bytes]:
    """Pass over what the reader has; at a hole stop, and have the log asked."""
    out: list[bytes] = []
    for each in lines:
        if place.has(each):
            continue
        if not place.is_followed_by(each):
            listener.fall_behind()
            break
        missed = place.before(each.seq) if each.whole else None
        if missed is not None:
            out.append(line(missed).bytes_in(form))
        place.take(each.seq, ends=each.ends)
        out.append(each.bytes_in(form))
        if each.ends:
            break
    return out


async def _part(reason: str, outlet: Outlet) -> None:
    if reason == GONE:
        return
    # Everybody is sent away at once when a server stops: they must not all return at once.
    retry = random.randint(500, RETRY_MILLISECONDS)  # noqa: S311
    farewell: Line = goodbye(reason, retry_milliseconds=retry)
    await outlet.write(farewell.bytes_in(outlet.form))


async def _notice(receive: Receive, listener: Listener) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        listener.leave(GONE)
