"""What can go wrong at a source, named by what to do about it.

ConnectorError
├── SourceUnavailable   try again later; may say when
├── SourceRefused       the credentials or the permissions are wrong; ask the user
├── SourceMissing       the place named in the configuration is not there; ask the user
├── SourceInvalid       it is there, but cannot be ingested as it is; ask the user
├── CursorExpired       the source forgot our place; enumerate again and compare
├── ArtifactGone        one artifact vanished between listing and fetching; go on
├── KindUnknown         nothing installed reads this kind of source; ask the user
└── KindBroken          an installed connector cannot be loaded; ask the operator
"""

from collections.abc import Sequence
from datetime import timedelta


class ConnectorError(Exception):
    """A source could not be read. ``action`` tells the user what to do about it."""

    action = "Try again; if it stays, look at the worker's log."

    def __init__(self, message: str, *, action: str | None = None) -> None:
        super().__init__(message)
        self.action = action or type(self).action


class SourceUnavailable(ConnectorError):
    """The source did not answer, or asked us to wait."""

    action = "Nothing to do: it is tried again."

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceRefused(ConnectorError):
    """The source rejected our credentials or permissions."""

    action = "Check the permissions of the account Headwater runs as, then start again."


class SourceMissing(ConnectorError):
    """What the configuration points at does not exist."""

    action = "Check the spelling of the path or name, then start again."


class SourceInvalid(ConnectorError):
    """What the configuration points at exists but cannot be ingested as it is."""


class CursorExpired(ConnectorError):
    """The saved cursor is unknown to the source: a normal outcome, never shown as a failure."""


class ArtifactGone(ConnectorError):
    """The artifact was listed, but is not there any more."""

    action = "Nothing to do: the next run will see that it is gone."


class KindUnknown(ConnectorError):
    """No installed connector has this name."""

    def __init__(self, kind: str, *, known: Sequence[str]) -> None:
        names = ", ".join(known)
        super().__init__(
            f"There is no kind of source called {kind!r}",
            action=f"Use one of these: {names}, or install the package that brings it.",
        )


class KindBroken(ConnectorError):
    """A package registered a connector that cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The connector {name!r} cannot be loaded: {reason}",
            action="Repair or uninstall the package that brings it, then start again.",
        )
