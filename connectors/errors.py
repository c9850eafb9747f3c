"""What can go wrong at a source, named by what to do about it.

ConnectorError
├── SourceUnavailable       try again later; may say when
├── SourceRefused           the credential is good, but may not do this; ask the user
├── ReauthorizationNeeded   the credential is dead; wait until its owner has given another one
├── SourceMissing           the place named in the configuration is not there; ask the user
├── SourceInvalid           it is there, but cannot be ingested as it is; ask the user
├── CursorExpired           the source forgot our place; enumerate again and compare
├── ArtifactGone            one artifact vanished between listing and fetching; go on
├── ArtifactUnreadable      one artifact is broken, or too much for anybody to read; go on
├── KindUnknown             nothing installed reads this kind of source; ask the user
└── KindBroken              an installed connector cannot be loaded; ask the operator
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum


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
    """The source knows us, and does not let us do this."""

    action = "Check the permissions of the account Headwater runs as, then start again."


class Cause(StrEnum):
    """Why a credential does not open the source any more."""

    MISSING = "missing"  # there is none, and the source wants one
    REVOKED = "revoked"
    EXPIRED = "expired"
    TESTING = "testing"  # the provider ends the grants of unverified apps, Google after 7 days
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # a cause, not a secret
    SCOPE_REDUCED = "scope_reduced"
    SSO_REQUIRED = "sso_required"
    POLICY_BLOCKED = "policy_blocked"


class ReauthorizationNeeded(ConnectorError):
    """The owner has to give another credential; everything done so far is kept.

    ``source`` names the provider for a reader: GitHub, Gmail, mail.example.org. ``detail`` is what
    the provider said, if that helps; never anything of the credential.
    """

    def __init__(
        self, cause: Cause, source: str, *, detail: str = "", action: str | None = None
    ) -> None:
        what, remedy = _CAUSES[cause]
        super().__init__(
            f"{source} {what}{f': {detail}' if detail else ''}", action=action or remedy
        )
        self.cause = cause
        self.source = source


_RECONNECT = "Connect it again: the run goes on where it stopped."
_CAUSES: Mapping[Cause, tuple[str, str]] = {
    Cause.MISSING: ("wants a credential, and there is none", _RECONNECT),
    Cause.REVOKED: ("does not accept the credential any more: it was revoked", _RECONNECT),
    Cause.EXPIRED: ("does not accept the credential any more: it has expired", _RECONNECT),
    Cause.TESTING: (
        "ended the access after 7 days, as it does for apps in testing mode",
        "Connect it again; to keep access longer, publish the app at the provider.",
    ),
    Cause.PASSWORD_CHANGED: (
        "does not accept the user or password: the password may have been changed",
        "Connect it again with a password that works; many providers want one made for an app.",
    ),
    Cause.SCOPE_REDUCED: (
        "does not allow all that Headwater needs any more",
        "Connect it again and allow what is asked for.",
    ),
    Cause.SSO_REQUIRED: (
        "wants a sign-on at the organisation first (SSO)",
        "Authorise the credential for the organisation at the provider, then connect it again.",
    ),
    Cause.POLICY_BLOCKED: (
        "does not let Headwater in: an administrator has to allow it",
        "Ask the administrator of the organisation to allow the app, then connect it again.",
    ),
}


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


class ArtifactUnreadable(ConnectorError):
    """The artifact is there, and nothing can be made of it."""

    action = "Nothing to do: the rest goes on. Look at it where it is, if it matters."


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
