"""The talk with a provider, by Authlib: to its consent page, code for tokens, fresh ones, revoking.

Redirects are not followed and the environment's proxies not used; nothing that a provider answers
is repeated to anybody but its error code.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # no types
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped]  # no types
    AsyncOAuth2Client,
)
from pydantic import SecretStr

from connectors.access import Consent
from connectors.errors import SourceRefused, SourceUnavailable
from connectors.oauth.providers import Provider, Revocation

TIMEOUT = httpx2.Timeout(10, connect=5)
"""A refresh is over within the time somebody may hold it: see ``storage.credentials.LEASE``."""

OVER = frozenset({"invalid_grant", "bad_refresh_token", "bad_verification_code"})
_CODE = re.compile(r"[a-z_]{1,40}")


class GrantOver(SourceRefused):
    """The provider does not know this code or refresh token any more. Never asked again."""

    action = "Connect the account again."

    def __init__(self, provider: str, code: str) -> None:
        super().__init__(f"{provider} says {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider gave. ``scopes`` is None if it did not say: then they are as before."""

    access_token: SecretStr
    refresh_token: SecretStr | None
    expires_at: datetime | None
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """The operator's app at one provider."""

    provider: Provider
    client_id: str
    client_secret: SecretStr | None

    async def authorize_url(
        self, consent: Consent, *, state: str, verifier: str, redirect_uri: str
    ) -> str:
        """Where the owner's browser goes to consent, with the challenge of PKCE (RFC 7636)."""
        async with self._session() as session:
            url, _ = session.create_authorization_url(
                self.provider.authorize_url,
                state=state,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
                scope=" ".join(each.scope for each in consent.permissions),
                **self.provider.extra,
                **consent.asking,
            )
        return str(url)

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """Raises ``GrantOver``, ``SourceRefused`` and ``SourceUnavailable``."""
        async with self._asking() as session:
            answer = await session.fetch_token(
                self.provider.token_url,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
            )
        return _tokens(answer)

    async def refresh(self, refresh_token: SecretStr) -> Tokens:
        """Raises ``GrantOver``, ``SourceRefused`` and ``SourceUnavailable``."""
        async with self._asking() as session:
            session.token = {"refresh_token": refresh_token.get_secret_value()}
            answer = await session.refresh_token(
                self.provider.token_url, refresh_token=refresh_token.get_secret_value()
            )
        return _tokens(answer)

    async def revoke(self, access_token: SecretStr, refresh_token: SecretStr | None) -> bool:
        """End the grant at the provider. False if it has no way to; one that is over is fine.

        Raises ``SourceRefused`` and ``SourceUnavailable``.
        """
        if self.provider.revoke_url is None:
            return False
        token = (refresh_token or access_token).get_secret_value()
        async with self._asking() as session:
            if self.provider.revocation is Revocation.GITHUB:
                answer = await self._revoke_at_github(session, access_token)
            else:
                answer = await session.revoke_token(self.provider.revoke_url, token=token)
        if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise SourceUnavailable(f"{self.provider.title} did not revoke the access")
        if answer.status_code in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
            raise self._misconfigured(str(answer.status_code))
        return True

    async def _revoke_at_github(
        self, session: AsyncOAuth2Client, access_token: SecretStr
    ) -> httpx2.Response:
        secret = self.client_secret.get_secret_value() if self.client_secret else ""
        answer: httpx2.Response = await session.request(
            "DELETE",
            f"{self.provider.revoke_url}/applications/{quote(self.client_id, safe='')}/grant",
            json={"access_token": access_token.get_secret_value()},
            headers={"Accept": "application/vnd.github+json"},
            auth=httpx2.BasicAuth(self.client_id, secret),
            withhold_token=True,
        )
        return answer

    def _session(self) -> AsyncOAuth2Client:
        secret = self.client_secret
        return AsyncOAuth2Client(
            client_id=self.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            token_endpoint_auth_method="client_secret_post" if secret else "none",
            revocation_endpoint_auth_method="client_secret_post" if secret else "none",
            code_challenge_method="S256",
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
        )

    @asynccontextmanager
    async def _asking(self) -> AsyncGenerator[AsyncOAuth2Client]:
        """A session whose errors are named by what to do, and quote nothing that was sent."""
        title = self.provider.title
        try:
            async with self._session() as session:
                yield session
        except OAuthError as error:
            code = str(error.error)
            code = code if _CODE.fullmatch(code) else "an error"
            raise (GrantOver(title, code) if code in OVER else self._misconfigured(code)) from None
        except (httpx2.HTTPError, ValueError) as error:
            # A chained one would carry the request, and with it the refresh token.
            said = type(error).__name__
            raise SourceUnavailable(f"{title} does not answer as it should: {said}") from None

    def _misconfigured(self, code: str) -> SourceRefused:
        prefix = f"HEADWATER_OAUTH__{self.provider.name.upper()}"
        return SourceRefused(
            f"{self.provider.title} does not accept Headwater as an app: {code}",
            action=f"Check {prefix}__CLIENT_ID, {prefix}__CLIENT_SECRET and the redirect address.",
        )


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    if not isinstance(answer.get("access_token"), str):
        raise SourceUnavailable("The provider answered without a token")
    refresh, scope, lasts = (answer.get(key) for key in ("refresh_token", "scope", "expires_in"))
    return Tokens(
        access_token=SecretStr(answer["access_token"]),
        refresh_token=SecretStr(refresh) if isinstance(refresh, str) else None,
        expires_at=_moment(lasts),
        # GitHub separates them by commas, others by spaces as RFC 6749 says.
        scopes=frozenset(re.split(r"[ ,]+", scope)) - {""} if isinstance(scope, str) else None,
    )


def _moment(lasts: object) -> datetime | None:
    try:
        seconds = float(str(lasts))
    except ValueError:
        return None
    return datetime.now(UTC) + timedelta(seconds=seconds)
