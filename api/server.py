"""The HTTP server around the app."""

import asyncio
import os
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.services import Services
from storage.errors import SetupError

STOP_SECONDS = 5


class Server(uvicorn.Server):
    """Lets the streams go as soon as it stops; uvicorn would first wait for them to end.

    A signal asks it to stop, and is not raised again when it has: what is open is closed first, for
    which it gives itself ``STOP_SECONDS``. A second signal ends the process at once.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # the edge writes one line a request, with its id
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self.app = app

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self._stop, each)
        yield

    def _stop(self, number: signal.Signals) -> None:
        if self.should_exit:
            os._exit(128 + number)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        services: Services | None = getattr(self.app.state, "services", None)
        if services is not None:
            services.part("shutdown")
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise SetupError(
            f"The api cannot listen at {host} port {port}: {reason}.",
            action="Set HEADWATER_PORT to a free port, or stop what uses this one.",
        ) from error
