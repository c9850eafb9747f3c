"""How the api serves, as the environment says it."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from connectors import catalog
from connectors.errors import KindUnknown
from connectors.outside import OutsideSettings
from storage.errors import SetupError


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

    @model_validator(mode="after")
    def _stay_on_this_machine(self) -> Self:
        """Nobody is asked for a key yet, so nobody else may reach the server."""
        if not _is_loopback(self.host):
            raise SetupError(
                f"HEADWATER_HOST is {self.host}, which other machines could reach, "
                "and this version of Headwater asks nobody for a key.",
                action="Set HEADWATER_HOST to 127.0.0.1, ::1 or localhost.",
            )
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
