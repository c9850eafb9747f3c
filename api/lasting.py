"""Answers that go on long after their request was dealt with."""

from abc import abstractmethod
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PLACE = "lasting"
"""Where in a request's state the edge finds the answer that it has to go on with."""


class Lasting(Response):
    """An answer that begins when everything else that a request needs has been let go.

    A framework keeps a dozen callers waiting for one another, and what each of them holds, until an
    answer is over. That is more than all else of a listener, and on the way of all it is sent.
    """

    def __init__(self, media_type: str, headers: Mapping[str, str]) -> None:
        # As StreamingResponse does it: there is no body yet, so no length of one is told.
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        scope["state"][PLACE] = self

    @abstractmethod
    async def go_on(self, receive: Receive, send: Send) -> None:
        """Answer until it is over. ``Problem`` cannot be raised any more."""

    async def begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self.raw_headers = []  # they are sent, and more than the rest of this
