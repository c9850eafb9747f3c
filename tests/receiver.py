"""A program elsewhere that is told things: it remembers what came, and answers as it is told to."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from tests.loopback import listening
from tests.waiting import turn

SLICE = b"x" * 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """``hangs``: no answer ever. ``endless``: the body has no end."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    endless: bool = False
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """``replies`` come one after the other, then 204s."""

    replies: list[Reply] = field(default_factory=list[Reply])
    told: list[Told] = field(default_factory=list[Told])
    read: int = 0
    """Slices that somebody took of the bodies."""

    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.told]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.told.append(Told(scope["path"], headers, body))
        reply = self.replies.pop(0) if self.replies else Reply()
        if reply.hangs:
            await receive()  # until the other side goes away
            self.closed.set()
            return
        gone = asyncio.ensure_future(receive())
        await self._answer(reply, send, gone)
        gone.cancel()

    async def _answer(self, reply: Reply, send: Send, gone: "asyncio.Future[Any]") -> None:
        named = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": named})
        while reply.endless and not gone.done():
            await send({"type": "http.response.body", "body": SLICE, "more_body": True})
            self.read += 1
            await turn()
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def receiving(*replies: Reply) -> AsyncGenerator[tuple[Receiver, str]]:
    """One that listens, and its URL."""
    receiver = Receiver(list(replies))
    async with listening(receiver) as origin:
        yield receiver, f"{origin}/hook"
