"""How a kind of source is told of changes by its provider, for those kinds that are.

What is told is a hint: it is verified and says where to look. It is never data, and a source is
looked at whether hints come or not.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

GOOGLE_CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"


class Forged(Exception):
    """It does not come from whom it says, or cannot be told from what does not."""


class Unset(Exception):
    """The operator has not said by what hints are verified."""

    def __init__(self, *settings: str) -> None:
        super().__init__(f"{' and '.join(settings)} must be set for hints of this kind.")
        self.settings = settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a verified hint says. ``known_by`` is what the same one is known again by.

    A connection is meant that was connected to ``account`` and chooses nothing, or that has
    ``name`` among what it ``chooses`` in its configuration; or that has read a part of which its
    cursor says ``mark``. ``position`` is how far the source has come, where it says so.
    """

    known_by: tuple[str | bytes, ...]
    account: str | None = None
    chooses: str | None = None
    name: str | None = None
    mark: tuple[str, int] | None = None
    position: int | None = None


class Ear(Protocol):
    async def hear(self, headers: Mapping[str, str], body: bytes) -> Told | None:
        """What it says; None for one that asks whether anybody listens. Headers are lower-case.

        Raises ``Forged``, and ``SourceUnavailable`` if it cannot be verified now.
        """
        ...


class HintSettings(BaseSettings):
    """By what hints are verified, and where they are asked for, as the environment says it."""

    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    github_webhook_secret: SecretStr | None = None
    """What GitHub signs webhooks with. Two, separated by a comma, while one replaces the other."""

    gmail_push_audience: str | None = None
    """Whom the tokens of the push subscription are for, as it was given there."""

    gmail_push_account: str | None = None
    """The email address of the service account that the push subscription signs as."""

    gmail_push_topic: str | None = Field(default=None, pattern="^projects/[^/]+/topics/[^/]+$")
    """The topic that Gmail is asked to tell of changes: of every connected mailbox, each day."""

    gmail_push_certificates: str = Field(default=GOOGLE_CERTIFICATES, pattern="^https?://")
    """Where Google's certificates are, if not at their usual place."""


@runtime_checkable
class Watched(Protocol):
    """A connector whose source tells of changes only while it is asked to."""

    async def arm(self, topic: str) -> datetime:
        """Ask for hints from now on. Answers until when they come. Asking again prolongs it."""
        ...

    async def disarm(self) -> None:
        """Ask for no more."""
        ...


def _nowhere(_: HintSettings) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Hearing:
    """``open`` gives who verifies what comes; it raises ``Unset``.

    ``topic`` says where a ``Watched`` source is asked to tell; None: it is not asked. ``place`` is
    the field of the cursor that is comparable with what hints say as their position.
    """

    open: Callable[[HintSettings], Ear]
    topic: Callable[[HintSettings], str | None] = _nowhere
    place: str | None = None


def object_of(body: bytes) -> Mapping[str, Any]:
    """Nothing, if it is no JSON object: it was signed, and another one would be no better."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
