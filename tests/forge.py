"""A fake GitHub whose users are those of the fake provider: who consents there may look here."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from connectors.fakes.grants import Provider
from connectors.github.fake.app import Fake
from connectors.github.fake.generate import fill
from connectors.github.fake.world import Account

REPOSITORY = "acme/thing"


class Users(dict[str, Account]):
    """By the tokens that the provider has given out, as long as they are good."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    def get(self, token: str, default: Account | None = None) -> Account | None:  # type: ignore[override]  # of one kind
        access = self._provider.access.get(token)
        if access is None or access.over or access.grant.over:
            return default
        return Account(access.grant.user, access.grant.scopes)


@contextmanager
def serving(provider: Provider) -> Iterator[str]:
    """Its address, as long as this lasts."""
    fake = Fake()
    fake.world.accounts = Users(provider)
    fill(fake.world, REPOSITORY, files=6, issues=2, comments=2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(fake.app, log_level="error", ws="none", date_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def environment(url: str, provider_url: str, *, secret: str) -> dict[str, str]:
    """What an operator sets for apps at both providers, GitHub being at ``url``."""
    return {
        "HEADWATER_EGRESS_NETWORKS": "127.0.0.0/8",
        "HEADWATER_SOURCE_DEFAULTS": f'{{"github": {{"base_url": "{url}"}}}}',
        **_app("GITHUB", provider_url, secret),
        **_app("GOOGLE", provider_url, secret),
    }


def _app(name: str, url: str, secret: str) -> dict[str, str]:
    said = {
        "CLIENT_ID": "headwater",
        "CLIENT_SECRET": secret,
        "AUTHORIZE_URL": f"{url}/authorize",
        "TOKEN_URL": f"{url}/token",
        "REVOKE_URL": url,
        "ISSUER": url,
    }
    return {f"HEADWATER_OAUTH__{name}__{key}": value for key, value in said.items()}
