"""The way to one client: it has to take its bytes in time, and hears when the server parts."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Receive, Send

from api.encoding import Format, goodbye

RETRY_MILLISECONDS = 3_000
GONE = "gone"
TOO_OLD = "age"
NOTHING_ANSWERS = "unavailable"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Vary": "Accept",
}
"""Of every answer that goes on."""


@dataclass(slots=True)
class Outlet:
    """``wrote_at`` is when the client last got something."""

    send: Send
    form: Format
    patience_seconds: float
    wrote_at: float = 0.0

    async def begin(self) -> None:
        if self.form is Format.SSE:
            await self.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())

    async def write(self, data: bytes, *, more: bool = True) -> None:
        message = {"type": "http.response.body", "body": data, "more_body": more}
        async with asyncio.timeout(self.patience_seconds):
            await self.send(message)
        self.wrote_at = asyncio.get_running_loop().time()

    async def part(self, reason: str) -> None:
        if reason == GONE:
            return
        # Everybody is sent away at once when a server stops: they must not all return at once.
        retry = random.randint(500, RETRY_MILLISECONDS)  # noqa: S311
        farewell = goodbye(reason, retry_milliseconds=retry)
        await self.write(farewell.bytes_in(self.form))

    async def close(self) -> None:
        await self.write(b"", more=False)


async def notice(receive: Receive, leave: Callable[[str], object]) -> None:
    """Call ``leave`` when the client is gone."""
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        leave(GONE)
