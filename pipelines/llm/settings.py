"""Which models read, as the environment says it."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipelines.llm.charging import Charging


class ModelSettings(BaseSettings):
    """The key and the address have the names that everybody's have."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, populate_by_name=True)

    key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    """Without one no model is asked anything."""

    base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    """Of any server that speaks like OpenAI; None: OpenAI."""

    model: str = Field(default="gpt-4.1-mini", max_length=200, validation_alias="HEADWATER_MODEL")

    fallbacks: Annotated[str, NoDecode] = Field(
        default="", validation_alias="HEADWATER_FALLBACK_MODELS"
    )
    """Names with commas between them, in the order in which they are tried."""

    embedding_model: str | None = Field(
        default=None,
        pattern=r"^[\w./:@-]{1,100}$",
        validation_alias="HEADWATER_EMBEDDING_MODEL",
    )
    """Whose vectors searches compare; None: those that are made without a network."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, validation_alias="HEADWATER_MODEL_RPM"
    )
    tokens_per_minute: int | None = Field(
        default=None, ge=1, validation_alias="HEADWATER_MODEL_TPM"
    )
    """What the account may. Where it is not said, replies and refusals tell."""

    concurrency: int | None = Field(
        default=None, ge=1, validation_alias="HEADWATER_MODEL_CONCURRENCY"
    )
    """The most calls under way, by all workers together."""

    charging: Charging | None = Field(default=None, validation_alias="HEADWATER_MODEL_CHARGING")
    """How the provider counts tokens; None: as who is at ``base_url`` most likely does."""

    capture: str = Field(
        default="", validation_alias="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    )
    """Whether spans hold what was sent and answered; the name is OpenTelemetry's."""

    prices: Path | None = Field(default=None, validation_alias="HEADWATER_PRICES")

    @property
    def fallback_models(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.fallbacks.split(",") if name.strip())

    @property
    def models(self) -> tuple[str, ...]:
        """All that may be called, each once."""
        named = (self.model, *self.fallback_models, self.embedding_model)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def content_in_spans(self) -> bool:
        return self.capture.lower() in {"true", "1", "span_only", "span_and_event"}

    @property
    def local(self) -> bool:
        """The models are served by this machine: nobody asks for money."""
        host = urlsplit(self.base_url or "").hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
