"""Credentials that are kept: how one is written down, opened for a connector, and kept alive.

What is written down goes to a vault, which seals it. The vault is the storage's; this side knows
what is in it.
"""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.access import (
    CREDENTIALS,
    Anonymous,
    Credential,
    CredentialKind,
    Grant,
    Installation,
    refusal,
)
from connectors.errors import Cause, ReauthorizationNeeded, SourceRefused, SourceUnavailable
from connectors.oauth.client import GrantOver, OAuthClient, Tokens

EARLY = timedelta(minutes=5)
"""How long before its end a token is refreshed: a request in flight must not outlive it."""

TURN_SECONDS = 0.2
PATIENCE_SECONDS = 40.0
"""For another process's refresh: longer than its lease, so that one that died is followed."""


class Kept(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def secret(self) -> bytes: ...
    @property
    def version(self) -> int: ...
    @property
    def dead(self) -> str | None: ...


class Vault(Protocol):
    """One connection's credential where it is kept: see ``storage.credentials``."""

    async def load(self) -> Kept | None: ...
    async def opened(self) -> None: ...
    async def claim(self, version: int) -> str | None: ...
    async def let_go(self, holder: str) -> None: ...
    async def replace(self, version: int, secret: bytes) -> bool: ...
    async def bury(self, version: int, cause: str) -> bool: ...


class KeptGrant(BaseModel):
    """A grant with what refreshes it, and since when it is."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_at: datetime | None = None
    scopes: frozenset[str] = frozenset()
    granted_at: datetime
    refreshed_at: datetime

    @classmethod
    def of(cls, tokens: Tokens, *, now: datetime) -> "KeptGrant":
        return cls(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_at=tokens.expires_at,
            scopes=tokens.scopes or frozenset(),
            granted_at=now,
            refreshed_at=now,
        )

    def refreshed(self, tokens: Tokens, *, now: datetime) -> "KeptGrant":
        """With new tokens. A provider that does not rotate leaves the refresh token as it is."""
        return self.model_copy(
            update={
                "access_token": tokens.access_token,
                "refresh_token": tokens.refresh_token or self.refresh_token,
                "expires_at": tokens.expires_at,
                "scopes": self.scopes if tokens.scopes is None else tokens.scopes,
                "refreshed_at": now,
            }
        )

    def credential(self) -> Grant:
        return Grant(access_token=self.access_token, expires_at=self.expires_at, scopes=self.scopes)


class App(BaseModel):
    """The operator's GitHub App. Its key is never written down beside what it opens."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    app_id: str
    private_key: SecretStr


def write_down(kept: Credential | KeptGrant) -> bytes:
    """The credential with its secrets in clear: for the vault alone."""
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in kept
        if name not in {"private_key", "app_id"}
    }
    return json.dumps(plain, default=_written).encode()


@dataclass(slots=True)
class KeptAccess:
    """The ``Access`` of a connection whose credential is in a vault.

    ``source`` names the provider for its owner. ``required`` are the scopes without which nothing
    can be read. ``client`` refreshes grants; ``app`` is the key to installations.
    """

    vault: Vault
    source: str
    required: frozenset[str] = frozenset()
    client: OAuthClient | None = None
    app: App | None = None
    _told: bool = False
    _version: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def credential(self) -> Credential:
        async with self._turn:
            kept = await self._load()
            if kept is None:
                return Anonymous()
            grant = _grant(kept)
            if grant is None or not _ends_soon(grant):
                return self._made(kept)
            return await self._refreshed(kept)

    async def renew(self, refused: Credential) -> Credential:
        async with self._turn:
            kept = await self._load()
            if kept is None:
                raise ReauthorizationNeeded(Cause.MISSING, self.source)
            made = self._made(kept)
            if made != refused:
                return made  # somebody renewed it, or its owner gave another one
            grant = _grant(kept)
            if grant is None or grant.refresh_token is None or self.client is None:
                raise await self._dead(kept, refusal(refused))
            return await self._refreshed(kept, refused=True)

    async def bury(self, error: ReauthorizationNeeded) -> None:
        """Keep that the source wants another credential than the one it was shown."""
        if self._version:
            await self.vault.bury(self._version, error.cause)

    async def _load(self) -> Kept | None:
        kept = await self.vault.load()
        if kept is None:
            return None
        if kept.dead is not None:
            raise ReauthorizationNeeded(Cause(kept.dead), self.source)
        self._version = kept.version
        if not self._told:
            await self.vault.opened()
            self._told = True
        return kept

    async def _refreshed(self, kept: Kept, *, refused: bool = False) -> Credential:
        """Refresh it, or wait for whoever does; meanwhile the old one serves if it still can."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            holder = await self.vault.claim(kept.version)
            if holder is not None:
                return await self._unbroken(self._refresh(kept, holder))
            latest = await self._load()
            if latest is None:
                raise ReauthorizationNeeded(Cause.MISSING, self.source)
            grant = _grant(latest)
            if latest.version != kept.version or grant is None:
                return self._made(latest)
            if not refused and not _ended(grant):
                return self._made(latest)
            await asyncio.sleep(TURN_SECONDS)
        raise SourceUnavailable(f"{self.source}'s access is being refreshed, and that takes long")

    async def _unbroken(self, refreshing: Coroutine[None, None, Credential]) -> Credential:
        """See it through even if nobody waits any more: else a rotated token would be lost."""
        task = asyncio.create_task(refreshing)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _refresh(self, kept: Kept, holder: str) -> Credential:
        grant = _grant(kept)
        if grant is None or grant.refresh_token is None or self.client is None:
            await self.vault.let_go(holder)
            raise await self._dead(kept, Cause.EXPIRED)
        try:
            tokens = await self.client.refresh(grant.refresh_token)
        except GrantOver:
            raise await self._dead(kept, _cause(self.client, grant)) from None
        except (SourceUnavailable, SourceRefused):
            await self.vault.let_go(holder)
            raise
        fresh = grant.refreshed(tokens, now=datetime.now(UTC))
        # Durable before anybody uses it: the old refresh token is worth nothing from here on.
        stored = await self.vault.replace(kept.version, write_down(fresh))
        if not stored:
            return self._made(await self._present())
        self._version = kept.version + 1
        if self.required - fresh.scopes and tokens.scopes is not None:
            raise await self._dead(await self._present(), Cause.SCOPE_REDUCED)
        return fresh.credential()

    async def _present(self) -> Kept:
        kept = await self._load()
        if kept is None:
            raise ReauthorizationNeeded(Cause.MISSING, self.source)
        return kept

    async def _dead(self, kept: Kept, cause: Cause) -> ReauthorizationNeeded:
        """What to raise, once it is written down: so that no other process asks again."""
        detail = ""
        if cause is Cause.REVOKED and self.client is not None:
            detail = self.client.provider.revoked
        await self.vault.bury(kept.version, cause)
        return ReauthorizationNeeded(cause, self.source, detail=detail)

    def _made(self, kept: Kept) -> Credential:
        grant = _grant(kept)
        if grant is not None:
            return grant.credential()
        plain: Mapping[str, object] = json.loads(kept.secret)
        if kept.kind != CredentialKind.INSTALLATION:
            return CREDENTIALS.validate_python(plain)
        if self.app is None:
            raise SourceRefused(
                "The key of the GitHub App is not set, or cannot be read",
                action="Set HEADWATER_GITHUB_APP_ID and HEADWATER_GITHUB_APP_KEY_FILE.",
            )
        return Installation.model_validate({**plain, **dict(self.app)})


def _grant(kept: Kept) -> KeptGrant | None:
    if kept.kind != CredentialKind.OAUTH:
        return None
    return KeptGrant.model_validate_json(kept.secret)


def _ends_soon(grant: KeptGrant) -> bool:
    return grant.expires_at is not None and grant.expires_at - EARLY <= datetime.now(UTC)


def _ended(grant: KeptGrant) -> bool:
    return grant.expires_at is not None and grant.expires_at <= datetime.now(UTC)


def _cause(client: OAuthClient, grant: KeptGrant) -> Cause:
    """Providers do not say why a grant is over; its age tells what they leave out."""
    now, provider = datetime.now(UTC), client.provider
    if provider.idle is not None and now - grant.refreshed_at >= provider.idle:
        return Cause.EXPIRED
    lived = grant.refreshed_at - grant.granted_at
    if provider.testing is not None and lived <= provider.testing <= now - grant.granted_at:
        return Cause.TESTING
    return Cause.REVOKED


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not written down")
