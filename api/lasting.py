"""Answers that go on long after their request was dealt with."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.encoding import Format
from api.outlet import Outlet, notice

PLACE = "lasting"
"""Where in a request's state the edge finds the answer that it has to go on with."""


class Lasting(Response):
    """An answer that begins when everything else that a request needs has been let go.

    A framework keeps a dozen callers waiting for one another, and what each of them holds, until an
    answer is over. That is more than all else of a listener, and on the way of all it is sent.
    """

    def __init__(self, form: Format, patience: timedelta, headers: Mapping[str, str]) -> None:
        # As StreamingResponse does it: there is no body yet, so no length of one is told.
        self.status_code = 200
        self.media_type = form.value
        self.background = None
        self.init_headers(headers)
        self.form = form
        self.patience = patience

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        scope["state"][PLACE] = self

    async def go_on(self, receive: Receive, send: Send) -> None:
        """Answer until it is over. ``Problem`` cannot be raised any more."""
        self.open()
        watch = asyncio.create_task(notice(receive, self.leave))
        try:
            async with Outlet(send, self.form, self.patience.total_seconds()) as outlet:
                await self._begin(send)
                await outlet.begin()
                await self.serve(outlet)
                await outlet.close()
        except TimeoutError:
            pass  # it does not read: the server drops the connection of an unfinished answer
        finally:
            watch.cancel()
            self.close()

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self.raw_headers = []  # they are sent, and more than the rest of this

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    async def serve(self, outlet: Outlet) -> None: ...

    @abstractmethod
    def leave(self, reason: str) -> None:
        """Have ``serve`` come to its end."""

    @abstractmethod
    def close(self) -> None:
        """Let go what was opened."""
