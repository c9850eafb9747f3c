"""How a command ends: an exit code, and one sentence when something is in the way."""

import logging
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum

import structlog
from rich.console import Console
from rich.text import Text

from api import words
from api.client import ClientError, Invalid, NotFound, ServerAway
from api.supervisor import PartFailed
from storage.errors import StorageError


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3  # done, but some artifacts failed
    CANNOT_RUN = 4  # here and now: a port, a directory, a server
    INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


class Trouble(Exception):
    """What keeps a command from doing it, and what the user can do about that."""

    def __init__(self, message: str, *, action: str | None = None, code: ExitCode) -> None:
        super().__init__(message)
        self.action = action
        self.code = code


AFTER_STATUS: Mapping[str, ExitCode] = {
    "succeeded": ExitCode.DONE,
    "succeeded_with_failures": ExitCode.INCOMPLETE,
    "failed": ExitCode.FAILED,
    "cancelled": ExitCode.FAILED,
}
"""What the end of a run means for the command that waited for it."""


def finish(command: Callable[..., int], options: Mapping[str, object]) -> int:
    """Run the command. An error nobody foresaw passes, with its traceback: it is a bug."""
    _keep_logs_from_data()
    try:
        return command(**options)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (Trouble, ClientError, StorageError, PartFailed) as error:
        return _tell(error)


def messages() -> Console:
    """Where sentences go."""
    return Console(stderr=True, highlight=False)


def _keep_logs_from_data() -> None:
    """Standard output is for data; and what goes well is not for a person at a terminal."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _tell(error: Trouble | ClientError | StorageError | PartFailed) -> int:
    action = None if isinstance(error, PartFailed) else error.action
    messages().print(Text(f"headwater: {words.sentences(str(error), action)}"), soft_wrap=True)
    return _code(error)


def _code(error: Exception) -> ExitCode:
    match error:
        case Trouble():
            return error.code
        case Invalid() | NotFound():
            return ExitCode.USAGE
        case ServerAway() | StorageError() | PartFailed():
            return ExitCode.CANNOT_RUN
        case _:
            return ExitCode.FAILED
