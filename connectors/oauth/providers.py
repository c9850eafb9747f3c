"""Who gives grants: the addresses and habits of each provider, as data.

The addresses can be changed by settings, for GitHub Enterprise and for fakes; a provider that is
not here can be described by settings alone. From their own pages:
https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps,
https://docs.github.com/rest/apps/oauth-applications#delete-an-app-authorization and
https://developers.google.com/identity/protocols/oauth2/web-server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Revocation(StrEnum):
    RFC7009 = "rfc7009"
    GITHUB = "github"  # DELETE {url}/applications/{client_id}/grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """``testing`` is how long grants of an unpublished app live, ``idle`` those nobody uses."""

    name: str
    title: str
    authorize_url: str
    token_url: str
    revoke_url: str | None = None
    revocation: Revocation = Revocation.RFC7009
    issuer: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    testing: timedelta | None = None
    idle: timedelta | None = None
    revoked: str = ""
    """How a grant is revoked there without anybody calling it that, in words for its owner."""


PROVIDERS: Mapping[str, Provider] = MappingProxyType({
    "github": Provider(
        name="github",
        title="GitHub",
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",  # noqa: S106  # an address
        revoke_url="https://api.github.com",
        revocation=Revocation.GITHUB,
        idle=timedelta(days=365),
    ),
    "google": Provider(
        name="google",
        title="Google",
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106  # an address
        revoke_url="https://oauth2.googleapis.com/revoke",
        issuer="https://accounts.google.com",
        # Without these, a second consent brings no refresh token, and access ends with the hour.
        extra=MappingProxyType({"access_type": "offline", "prompt": "consent"}),
        testing=timedelta(days=7),
        idle=timedelta(days=180),
        revoked="by its owner, or with a new password of the account",
    ),
})  # fmt: skip
