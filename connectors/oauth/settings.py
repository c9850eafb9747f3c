"""The operator's apps at the providers, as the environment says it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.keeping import App
from connectors.oauth.client import OAuthClient
from connectors.oauth.providers import PROVIDERS, Provider


class AppSettings(BaseModel):
    """The operator's app at a provider, and where that provider is if not at its usual place."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    client_id: str
    client_secret: SecretStr | None = None
    title: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    revoke_url: str | None = None
    issuer: str | None = None


class OAuthSettings(BaseSettings):
    """``HEADWATER_OAUTH__GITHUB__CLIENT_ID``, ``…__CLIENT_SECRET`` and so on, by provider."""

    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_",
        env_nested_delimiter="__",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    oauth: Mapping[str, AppSettings] = {}
    github_app_id: str | None = None
    github_app_key_file: Path | None = None
    """The private key of the GitHub App: a file, so that a secrets manager can mount it."""

    def provider(self, name: str) -> Provider | None:
        """None if nothing tells where it is."""
        known, app = PROVIDERS.get(name), self.oauth.get(name)
        if app is None:
            return known
        if known is None:
            if app.authorize_url is None or app.token_url is None:
                return None
            known = Provider(
                name=name,
                title=name.title(),
                authorize_url=app.authorize_url,
                token_url=app.token_url,
            )
        stated = app.model_dump(exclude={"client_id", "client_secret"}, exclude_none=True)
        if "authorize_url" in stated:  # elsewhere: then it is not the usual issuer either
            stated = {"issuer": None, **stated}
        return replace(known, **stated)

    def client(self, name: str) -> OAuthClient | None:
        """The operator's app at this provider; None if there is none."""
        app, provider = self.oauth.get(name), self.provider(name)
        if app is None or provider is None:
            return None
        return OAuthClient(
            provider=provider, client_id=app.client_id, client_secret=app.client_secret
        )

    def app(self) -> App | None:
        """The operator's GitHub App; None if there is none, or its key cannot be read.

        Nothing else stops for it: whoever opens an installation is told.
        """
        if self.github_app_id is None or self.github_app_key_file is None:
            return None
        try:
            key = self.github_app_key_file.read_text()
        except OSError:
            return None
        return App(app_id=self.github_app_id, private_key=SecretStr(key))
