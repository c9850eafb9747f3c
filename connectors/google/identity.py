"""Tokens by which Google's own services say who they are, and Google's certificates for them."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from google.auth import exceptions, transport
from google.oauth2 import id_token

from connectors import egress
from connectors.errors import SourceInvalid, SourceUnavailable
from connectors.hearing import Forged

ISSUERS = frozenset({"accounts.google.com", "https://accounts.google.com"})
KEPT_SECONDS = 3_600.0  # Google names the next certificate days before it signs with it
AGAIN_SECONDS = 5.0
"""How long those who cannot be verified are told so at once, while there are no certificates."""

SKEW_SECONDS = 60
MOST_TOKEN = 8_000


@dataclass(slots=True)
class Identity:
    """Who is let in: the service account ``email``, with tokens that are for ``audience``."""

    audience: str
    email: str
    certificates: str
    now: Callable[[], float] = time.monotonic
    _known: bytes = b""
    _until: float = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def check(self, token: str) -> None:
        """Raises ``Forged``, and ``SourceUnavailable`` while no certificate can be had."""
        if not token or len(token) > MOST_TOKEN:
            raise Forged("It bears no token of Google's.")
        said = self._said(token, await self._certificates())
        if said.get("iss") not in ISSUERS:
            raise Forged("Its token was not issued by Google.")
        if said.get("email") != self.email or said.get("email_verified") is not True:
            raise Forged("Its token is of another account.")

    def _said(self, token: str, known: bytes) -> Mapping[str, Any]:
        try:
            return id_token.verify_token(
                token,
                _Known(known),
                audience=self.audience,
                certs_url=self.certificates,
                clock_skew_in_seconds=SKEW_SECONDS,
            )
        except (ValueError, TypeError, KeyError, exceptions.GoogleAuthError) as error:
            raise Forged("Its token is not Google's, not for us, or over.") from error

    async def _certificates(self) -> bytes:
        """Asked for once, however many wait for them, and never for a token nobody can know."""
        async with self._turn:
            if self.now() >= self._until:
                await self._renew()
        if not self._known:
            raise SourceUnavailable("Google's certificates cannot be had")
        return self._known

    async def _renew(self) -> None:
        """Those that are known serve on while no others can be had."""
        try:
            self._known = await _fetched(self.certificates)
        except SourceUnavailable:
            self._until = self.now() + AGAIN_SECONDS
        else:
            self._until = self.now() + KEPT_SECONDS


async def _fetched(url: str) -> bytes:
    policy = egress.Policy(hosts=frozenset({urlsplit(url).hostname or ""}))
    try:
        async with egress.client(policy, timeout=httpx.Timeout(5)) as client:
            answer = await client.get(url)
        known = json.loads(answer.content) if answer.is_success else None
    except (httpx.HTTPError, ValueError, SourceInvalid) as error:
        raise SourceUnavailable("Google's certificates cannot be had") from error
    if not isinstance(known, dict) or not known:
        raise SourceUnavailable("Google's certificates cannot be had")
    return answer.content


@dataclass(frozen=True, slots=True)
class _Known(transport.Request):
    """A way to Google that answers what was fetched before, by our own way out."""

    data: bytes
    status: int = 200

    def __call__(self, *_: object, **__: object) -> "_Known":
        return self
