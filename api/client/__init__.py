"""Headwater from Python, blocking or not: ``Client`` and ``AsyncClient``."""

from api.client.asynchronous import AsyncClient
from api.client.blocking import Client
from api.client.errors import (
    ClientError,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    Refusal,
    ServerAway,
    Unavailable,
)

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "Refusal",
    "ServerAway",
    "Unavailable",
]
