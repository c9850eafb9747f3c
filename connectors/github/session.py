"""Requests to GitHub: with a fresh credential, at the pace it allows, only to its own hosts."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from github.Auth import AppAuth

from connectors import egress, intake
from connectors.access import Access, Anonymous, Credential, Grant, Installation, Token, refusal
from connectors.egress import Policy
from connectors.errors import (
    Cause,
    ConnectorError,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from connectors.github import protocol
from connectors.github.protocol import GRAPHQL, RATES, READ, REST, SOURCE, WRITE, Answer
from connectors.intake import Limits
from connectors.throttle import Bell, Clock, Governor, Turnstile, identify, shared

JSON = "application/vnd.github+json"
RAW = "application/vnd.github.raw+json"
SHA = "application/vnd.github.sha"
_HEADERS = {
    "user-agent": "Headwater",
    "x-github-api-version": "2022-11-28",
    "accept-encoding": intake.ENCODINGS,
}
_PATIENT_TIMES = 8
_SOON = timedelta(minutes=5)


@dataclass(slots=True)
class Session:
    """``base`` is the address of the API. Not to be used before ``client`` is entered."""

    base: str
    access: Access
    client: httpx.AsyncClient
    bell: Bell = field(default_factory=Bell)
    clock: Clock = field(default_factory=Clock)
    limits: Limits = field(default_factory=Limits)
    token_expires_at: datetime | None = None
    scopes: frozenset[str] | None = None
    _minted: tuple[Installation, str, datetime] | None = None
    _minting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        etag: str | None = None,
        accept: str = JSON,
        limits: Limits | None = None,
    ) -> Answer:
        """Answer what GitHub has at a path or a whole URL; 304 only if an ``etag`` was given.

        Raises the errors of ``connectors.errors``.
        """
        headers = {"accept": accept} | ({"if-none-match": etag} if etag else {})
        request = self.client.build_request("GET", self._url(path), headers=headers)
        if query:
            request.url = request.url.copy_merge_params({k: str(v) for k, v in query.items()})
        async with self._sent(request, READ, REST) as response:
            return await self._read(response, limits)

    async def graphql(self, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The data of an answer. What is not there is null in it."""
        url = f"{self.base.removesuffix('/v3')}/graphql"
        for _ in range(_PATIENT_TIMES):
            content = {"query": query, "variables": dict(variables)}
            request = self.client.build_request("POST", url, json=content)
            async with self._sent(request, READ, GRAPHQL) as response:
                answer = await self._read(response, None)
            said, now = answer.mapped(), self.clock.now()
            error = protocol.trouble(said.get("errors"), now=now, headers=answer.headers)
            if isinstance(error, protocol.Limited):
                await self._slow_down(error)
                continue
            if error:
                raise error
            data = said.get("data")
            if not isinstance(data, dict):
                raise SourceUnavailable("GitHub answered a question with nothing")
            return data
        raise SourceUnavailable("GitHub keeps asking for a pause")

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncGenerator[httpx.Response]:
        """A large answer, to be read by its parts while it is open."""
        request = self.client.build_request("GET", self._url(path))
        async with self._sent(request, READ, REST) as response:
            yield response

    async def may_ask_graphql(self) -> bool:
        """GraphQL answers nobody it does not know."""
        return not isinstance(await self.access.credential(), Anonymous)

    def _url(self, path: str) -> str:
        return path if path.startswith(("https://", "http://")) else f"{self.base}{path}"

    @asynccontextmanager
    async def _sent(
        self, request: httpx.Request, cost: int, pool: str
    ) -> AsyncGenerator[httpx.Response]:
        response = await self._insist(request, cost, pool)
        try:
            yield response
        except httpx.TransportError as error:
            raise SourceUnavailable(f"GitHub broke off: {type(error).__name__}") from error
        finally:
            await response.aclose()

    async def _insist(self, request: httpx.Request, cost: int, pool: str) -> httpx.Response:
        """Send it until there is a good answer; only limits and one dead token are waited out."""
        credential, renewed = await self.access.credential(), False
        for _ in range(_PATIENT_TIMES):
            await Turnstile(await self._governor(credential), self.bell, self.clock).turn(
                cost, pool=pool
            )
            await self._sign(request, credential)
            response = await self._send(request)
            error = await self._judged(response, credential)
            if error is None:
                return response
            if isinstance(error, protocol.Limited):
                await self._slow_down(error)
            elif isinstance(error, protocol.Unauthorized) and not renewed:
                credential, renewed = await self._renewed(credential), True
            elif isinstance(error, protocol.Unauthorized):
                raise self._dead(credential)
            else:
                raise error
        raise SourceUnavailable("GitHub keeps asking for a pause")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self.client.send(request, stream=True, follow_redirects=True)
        except httpx.TimeoutException as error:
            raise SourceUnavailable("GitHub did not answer in time") from error
        except httpx.TransportError as error:
            raise SourceUnavailable("GitHub cannot be reached") from error
        except httpx.TooManyRedirects as error:
            raise SourceInvalid("GitHub's answer leads round in circles") from error

    async def _judged(
        self, response: httpx.Response, credential: Credential
    ) -> ConnectorError | None:
        now = self.clock.now()
        governor = await self._governor(credential)
        self._note(response.headers)
        if response.status_code < 400:  # noqa: PLR2004
            governor.well()
            used_up = protocol.spent(Answer(200, response.headers, b""), now=now)
            if used_up:
                governor.pause(used_up[1], pool=used_up[0])
            return None
        try:
            answer = await self._read(response, Limits(body_bytes=1_000_000))
        finally:
            await response.aclose()
        return protocol.judge(answer, now=now)

    async def _read(self, response: httpx.Response, limits: Limits | None) -> Answer:
        try:
            body = await intake.body(response, limits or self.limits)
        except httpx.TransportError as error:
            raise SourceUnavailable(f"GitHub broke off: {type(error).__name__}") from error
        return Answer(response.status_code, response.headers, body)

    async def _slow_down(self, limit: protocol.Limited) -> None:
        governor = await self._governor(await self.access.credential())
        if limit.until is None:
            governor.strike(now=self.clock.now())
        else:
            governor.pause(limit.until, pool=limit.pool or "")

    async def _governor(self, credential: Credential) -> Governor:
        match credential:
            case Installation():
                who = identify(self.base, credential.app_id, str(credential.installation_id))
            case Token():
                who = identify(self.base, credential.token.get_secret_value())
            case Grant():
                who = identify(self.base, credential.access_token.get_secret_value())
            case _:
                who = identify(self.base)
        return shared(who, RATES)

    async def _sign(self, request: httpx.Request, credential: Credential) -> None:
        match credential:
            case Token():
                token = credential.token.get_secret_value()
            case Grant():
                token = credential.access_token.get_secret_value()
            case Installation():
                token = await self._mint(credential)
            case _:
                request.headers.pop("authorization", None)
                return
        request.headers["authorization"] = f"Bearer {token}"

    async def _mint(self, app: Installation) -> str:
        """A token of an hour for the installation, made by the app's key."""
        async with self._minting:
            kept = self._minted
            if kept and kept[0] == app and kept[2] - self.clock.now() > _SOON:
                return kept[1]
            auth = AppAuth(app.app_id, app.private_key.get_secret_value())
            signed = await asyncio.to_thread(auth.create_jwt)
            request = self.client.build_request(
                "POST",
                f"{self.base}/app/installations/{app.installation_id}/access_tokens",
                headers={"accept": JSON, "authorization": f"Bearer {signed}"},
            )
            await Turnstile(await self._governor(app), self.bell, self.clock).turn(WRITE, pool=REST)
            made = await self._made(request)
            until = protocol.when(made.get("expires_at")) or self.clock.now() + timedelta(hours=1)
            self._minted = app, str(made["token"]), until
            return self._minted[1]

    async def _made(self, request: httpx.Request) -> dict[str, Any]:
        response = await self._send(request)
        try:
            answer = await self._read(response, None)
        finally:
            await response.aclose()
        error = protocol.judge(answer, now=self.clock.now())
        if isinstance(error, protocol.Unauthorized | SourceMissing):
            raise ReauthorizationNeeded(
                Cause.REVOKED, SOURCE, detail="the app is not installed there any more"
            ) from error
        if error:
            raise error
        return answer.mapped()

    async def _renewed(self, refused: Credential) -> Credential:
        if isinstance(refused, Installation) and self._minted:
            self._minted = None  # a token may be revoked before its hour is over
            return refused
        if self._expired():
            raise self._dead(refused)
        return await self.access.renew(refused)

    def _dead(self, credential: Credential) -> ReauthorizationNeeded:
        cause = Cause.EXPIRED if self._expired() else refusal(credential)
        return ReauthorizationNeeded(cause, SOURCE)

    def _expired(self) -> bool:
        return self.token_expires_at is not None and self.token_expires_at <= self.clock.now()

    def _note(self, headers: Mapping[str, str]) -> None:
        expires = headers.get("github-authentication-token-expiration")
        if expires:
            self.token_expires_at = protocol.when(expires.replace(" UTC", "+00:00"))
        scopes = headers.get("x-oauth-scopes")
        if scopes is not None:
            self.scopes = frozenset(filter(None, map(str.strip, scopes.split(","))))


@asynccontextmanager
async def open_session(base: str, access: Access, clock: Clock) -> AsyncGenerator[Session]:
    host = urlsplit(base).hostname or ""
    hosts = {host, f"codeload.{host.removeprefix('api.')}"}
    async with egress.client(Policy(hosts=frozenset(hosts)), headers=_HEADERS) as client:
        yield Session(base, access, client, clock=clock)
