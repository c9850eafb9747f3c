"""How the api serves, as the environment says it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import SettingsConfigDict

from api.addresses import origin
from connectors import catalog
from connectors.errors import KindUnknown
from connectors.outside import OutsideSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one tenant may. ``at_once`` are requests that are worked on; streams only listen."""

    a_minute: int = 1_200
    at_once: int = 64
    streams: int = 1_000


class ApiSettings(OutsideSettings):
    model_config = SettingsConfigDict(env_prefix="HEADWATER_", frozen=True, env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65535)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+$")
    """Where browsers reach this server; providers send them back there. None: as they came."""

    return_origins: frozenset[str] = frozenset()
    """Origins, as a JSON list, of the pages that the connect page may lead back to."""

    source_defaults: Mapping[str, Mapping[str, Any]] = {}
    """What is stated of a kind of source where its owner states nothing, as JSON:
    ``{"github": {"base_url": "https://github.example.org/api/v3"}}``."""

    hosts: frozenset[str] = frozenset()
    """Names, as a JSON list, that clients may call this server by, besides those it knows."""

    browser_origins: frozenset[Annotated[str, AfterValidator(origin)]] = frozenset()
    """Origins, as a JSON list, of the pages elsewhere whose scripts may ask, with a token."""

    tenant_requests_a_minute: int = Field(default=1_200, ge=1)
    tenant_requests_at_once: int = Field(default=64, ge=1)
    tenant_streams: int = Field(default=1_000, ge=1)
    """What one tenant may ask of this process, if it asks for keys."""

    requests_at_once: int = Field(default=512, ge=1)
    """That are worked on: what comes then is told at once to come again."""

    require_keys: bool = False
    """Ask for keys although only this machine can reach the server: a proxy may let others in."""

    @property
    def asks_for_keys(self) -> bool:
        """Only a server that nobody else can reach may do without."""
        public = urlsplit(self.public_url).hostname if self.public_url else None
        reached = not _is_loopback(self.host) or (public is not None and not _is_loopback(public))
        return self.require_keys or reached or any(not _is_loopback(each) for each in self.hosts)

    @property
    def share(self) -> Share:
        return Share(
            a_minute=self.tenant_requests_a_minute,
            at_once=self.tenant_requests_at_once,
            streams=self.tenant_streams,
        )

    @property
    def names(self) -> frozenset[str]:
        """What this server answers for, as it stands in a Host header without its port."""
        public = urlsplit(self.public_url).hostname if self.public_url else None
        given = {self.host, *self.hosts, *({public} if public else ())}
        return frozenset(f"[{name}]" if ":" in name else name.lower() for name in given)

    @field_validator("source_defaults")
    @classmethod
    def _of_sources(
        cls, defaults: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Mapping[str, Any]]:
        for kind, stated in defaults.items():
            try:
                catalog.parse(kind, stated)
            except KindUnknown as error:
                raise ValueError(f"{error}. {error.action}") from error
        return defaults


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
