"""Serves the api: ``python -m api``."""

import asyncio
import gc
import logging
import sys
from contextlib import nullcontext

import structlog
from pydantic import ValidationError
from uvicorn.loops.auto import auto_loop_factory

from api.app import create_app
from api.edge import LOOPBACK
from api.server import Server, listen
from api.services import from_settings
from api.settings import ApiSettings
from connectors.oauth.settings import OAuthSettings
from storage.errors import SetupError
from storage.keys import require_any
from storage.settings import StorageSettings

EXIT_USAGE = 2


def main() -> int:
    """Serve until told to stop. Answers the process's exit code."""
    _log_as_json()
    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            return runner.run(_serve(ApiSettings(), StorageSettings()))
    except (SetupError, ValidationError) as error:
        return _complain(error)


async def _serve(api: ApiSettings, storage: StorageSettings) -> int:
    async with from_settings(storage, oauth=OAuthSettings(), api=api) as services:
        if api.asks_for_keys:
            await require_any(services.database)
        app = create_app(
            lambda: nullcontext(services),
            hosts=LOOPBACK | api.names,
            origins=api.browser_origins,
            at_once=api.requests_at_once,
        )
        _collect_seldom()
        with listen(api.host, api.port) as listener:
            server = Server(app)
            await server.serve([listener])
    return 0 if server.started else 1


def _collect_seldom() -> None:
    """Whoever listens is let go by reference: a search through thousands of them finds nothing.

    It stops all streams while it lasts, a second where five thousand listen.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _complain(error: SetupError | ValidationError) -> int:
    if isinstance(error, SetupError):
        sys.stderr.write(f"{error}\n{error.action}\n")
        return EXIT_USAGE
    for fault in error.errors(include_input=False, include_url=False):
        name = "_".join(("HEADWATER", *map(str, fault["loc"]))).upper()
        sys.stderr.write(f"{name}: {fault['msg']}.\n")
    return EXIT_USAGE


def _log_as_json() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
