"""Finding the api that runs on a data directory, and what the environment says about all this.

Light to import: this is all that a command needs where something runs already.
"""

import asyncio
import time
from importlib.metadata import version
from pathlib import Path

import httpx
from pydantic import Field, SecretStr

from storage import datadir
from storage.errors import SetupError
from storage.settings import StorageSettings

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.1


class StackSettings(StorageSettings):
    """What replaces the stack, or a part of it, by a server of the user's."""

    api_url: str | None = None
    api_key: SecretStr | None = None
    """What an api that asks for keys lets the command line in with."""

    prefect_api_url: SecretStr | None = Field(default=None, validation_alias="PREFECT_API_URL")

    @property
    def home(self) -> Path:
        return self.data_dir.expanduser().absolute()


def headwater_version() -> str:
    return version("headwater")


async def running(settings: StackSettings) -> str | None:
    """The address of the api on this data directory, waiting for one that is starting."""
    if settings.api_url is not None:
        return settings.api_url
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
        while instance := datadir.running(settings.home):
            if instance.api_url and await _answers(http, instance.api_url):
                return instance.api_url
            if time.monotonic() > deadline:
                raise SetupError(
                    f"Headwater runs on {settings.home} (process {instance.pid}),"
                    " but its api does not answer.",
                    action=f"Look at {settings.home / 'logs' / 'api.log'}, or stop that process.",
                )
            await asyncio.sleep(LOOK_SECONDS)
    return None


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/livez")).is_success
    except httpx.HTTPError:
        return False
