"""What opens a source: the credentials that people give, and how a connector has a fresh one.

A connector asks its ``Access`` for the credential each time it opens a session with the source, and
again by ``renew`` when the source refused one. It never keeps a credential longer than a request
needs, and never sees what renews it: refresh tokens stay with whoever implements ``Access``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from connectors.errors import Cause, ReauthorizationNeeded


class CredentialKind(StrEnum):
    NONE = "none"  # what is public, or on this machine
    TOKEN = "token"  # noqa: S105  # a name, not a secret
    OAUTH = "oauth"
    PASSWORD = "password"  # noqa: S105  # a name, not a secret
    INSTALLATION = "installation"


class _Credential(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Anonymous(_Credential):
    """No credential: for what anybody may read."""

    kind: Literal[CredentialKind.NONE] = CredentialKind.NONE


class Token(_Credential):
    """A token that somebody made at the provider and pasted; how long it lives is not known."""

    kind: Literal[CredentialKind.TOKEN] = CredentialKind.TOKEN
    token: SecretStr = Field(min_length=1, max_length=8_192)


class Grant(_Credential):
    """What an owner consented to by OAuth. ``scopes`` are those granted, not those asked for."""

    kind: Literal[CredentialKind.OAUTH] = CredentialKind.OAUTH
    access_token: SecretStr
    expires_at: datetime | None = None
    scopes: frozenset[str] = frozenset()


class Password(_Credential):
    """A user with a password, better one made for this app alone than that of the account."""

    kind: Literal[CredentialKind.PASSWORD] = CredentialKind.PASSWORD
    user: str = Field(min_length=1, max_length=320)
    password: SecretStr = Field(min_length=1, max_length=1_024)


class Installation(_Credential):
    """A GitHub App where it is installed; the operator's key makes tokens that live an hour."""

    kind: Literal[CredentialKind.INSTALLATION] = CredentialKind.INSTALLATION
    app_id: str
    installation_id: int
    private_key: SecretStr = Field(description="PEM")


Credential = Annotated[
    Anonymous | Token | Grant | Password | Installation, Field(discriminator="kind")
]
CREDENTIALS: TypeAdapter[Credential] = TypeAdapter(
    Credential, config=ConfigDict(hide_input_in_errors=True)
)
"""Reads one from outside; its errors never quote what was read."""


class Access(Protocol):
    """A connection's credential, for as long as its connector is open. Safe to call at once."""

    async def credential(self) -> Credential:
        """One that is good for the next minutes: refreshed first if it is about to expire.

        Raises ``ReauthorizationNeeded`` if its owner has to consent again, and
        ``SourceUnavailable`` if the provider cannot be asked now.
        """
        ...

    async def renew(self, refused: Credential) -> Credential:
        """Another one than ``refused``, which the source just did not accept.

        If somebody else renewed it meanwhile, that one is the answer. Ask once: if the new one is
        refused too, raise ``ReauthorizationNeeded``. Raises as ``credential`` does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """One credential that nothing can renew: a pasted token, a password, or none at all."""

    given: Credential
    source: str = "The source"

    async def credential(self) -> Credential:
        return self.given

    async def renew(self, refused: Credential) -> Credential:
        raise ReauthorizationNeeded(refusal(refused), self.source)


def refusal(refused: Credential) -> Cause:
    """The likely cause if a source does not accept such a credential and says no more."""
    match refused:
        case Anonymous():
            return Cause.MISSING
        case Password():
            return Cause.PASSWORD_CHANGED
        case Grant() | Token() | Installation():
            return Cause.REVOKED


@dataclass(frozen=True, slots=True)
class Permission:
    """A scope as its provider spells it, and why we ask for it, in words for its owner.

    Without a ``required`` one nothing can be read; an owner may refuse the others.
    """

    scope: str
    reason: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Consent:
    """What an owner is asked for by OAuth, and by whom: ``provider`` is a name such as github.

    ``asking`` is added to the address that the owner is sent to, in that provider's own words.
    """

    provider: str
    permissions: tuple[Permission, ...]
    asking: Mapping[str, str] = field(default_factory=dict[str, str])
