"""Gmail's notifications, as Pub/Sub pushes them: ``{emailAddress, historyId}``, wrapped twice."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.google.identity import Identity
from connectors.hearing import HintSettings, Told, Unset, object_of

AUDIENCE, ACCOUNT = "HEADWATER_GMAIL_PUSH_AUDIENCE", "HEADWATER_GMAIL_PUSH_ACCOUNT"
_MOST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class GmailEar:
    identity: Identity

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Told | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        await self.identity.check(token.strip() if scheme.lower() == "bearer" else "")
        message = object_of(body).get("message")
        if not isinstance(message, dict):
            return None
        told = object_of(_decoded(message.get("data")))
        address, position = told.get("emailAddress"), str(told.get("historyId", ""))
        name = message.get("messageId", message.get("message_id"))
        if not isinstance(address, str) or not isinstance(name, str) or not _fits(position):
            return None
        # What is said twice of one mailbox is one thing, whatever it is called.
        said = f"{address} {position}"
        return Told(known_by=(name, said), account=address, position=int(position))


def open_ear(settings: HintSettings) -> GmailEar:
    """Raises ``Unset``."""
    audience, account = settings.gmail_push_audience, settings.gmail_push_account
    if audience is None or account is None:
        given = {AUDIENCE: audience, ACCOUNT: account}
        raise Unset(*(name for name, value in given.items() if value is None))
    return GmailEar(Identity(audience, account, settings.gmail_push_certificates))


def _fits(position: str) -> bool:
    digits = position.isascii() and position.isdecimal() and len(position) < 20  # noqa: PLR2004
    return digits and int(position) <= _MOST_POSITION


def _decoded(data: object) -> bytes:
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""
