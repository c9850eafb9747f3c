"""The way to one client: it has to take its bytes in time, and hears when the server parts."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from starlette.types import Receive, Send

from api.alarm import Alarm
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
    """While it is open, a client that does not take its bytes in time raises ``TimeoutError``.

    ``wrote_at`` is when the client last got something.
    """

    send: Send
    form: Format
    patience_seconds: float
    wrote_at: float = 0.0
    _limit: asyncio.Timeout = field(init=False, default_factory=lambda: asyncio.timeout(None))
    _alarm: Alarm = field(init=False)

    def __post_init__(self) -> None:
        self._alarm = Alarm(self._give_up)

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alarm.close()
        await self._limit.__aexit__(kind, error, trace)

    def _give_up(self) -> None:
        self._limit.reschedule(asyncio.get_running_loop().time())

    async def begin(self) -> None:
        if self.form is Format.SSE:
            await self.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())

    async def write(self, data: bytes, *, more: bool = True) -> None:
        message = {"type": "http.response.body", "body": data, "more_body": more}
        now = asyncio.get_running_loop().time
        self._alarm.set(now() + self.patience_seconds)
        await self.send(message)
        self._alarm.clear()
        self.wrote_at = now()

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
