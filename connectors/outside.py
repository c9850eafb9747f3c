"""What may be reached beyond the internet: the operator says it to api and workers alike."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from connectors.egress import Exceptions


class OutsideSettings(BaseSettings):
    """Extend it: whoever opens connectors has these beside its own settings."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, populate_by_name=True)

    egress_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=(), validation_alias="HEADWATER_EGRESS_NETWORKS"
    )
    """Networks that connectors and webhooks may reach, separated by commas: an Enterprise Server's,
    loopback for a fake. There, any port and plain HTTP are allowed too."""

    egress_proxy: str | None = Field(
        default=None, pattern="^https?://", validation_alias="HEADWATER_EGRESS_PROXY"
    )
    """A forward proxy that connectors go through. It resolves names, and it checks them."""

    @field_validator("egress_networks", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip())

    @property
    def egress(self) -> Exceptions:
        return Exceptions(networks=self.egress_networks, proxy=self.egress_proxy)
