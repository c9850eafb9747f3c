"""The client that commands ask with."""

from api.attaching import StackSettings
from api.client import AsyncClient
from api.client.transport import GIVE_UP_AFTER_SECONDS


def speak_to(url: str, *, patience_seconds: float = GIVE_UP_AFTER_SECONDS) -> AsyncClient:
    """A client of this api, with the key that the environment holds, if it does."""
    key = StackSettings().api_key
    return AsyncClient(
        url,
        key=None if key is None else key.get_secret_value(),
        patience_seconds=patience_seconds,
    )
