"""One message to one webhook, by Standard Webhooks: signed, sent once, and what came of it.

What answers is a stranger: it is followed nowhere, given some seconds, and read no further than it
takes to use its connection again. Nothing it says is kept but its status.
"""

import asyncio
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http import HTTPStatus

import httpx

from connectors.egress import Exceptions, HostRefused, Policy
from connectors.errors import SourceUnavailable
from storage.webhooks import PORTS

PREFIX = "whsec_"
READ_BYTES = 64 * 1024
AGENT = "Headwater-Webhooks/1"
LONGEST = timedelta(days=1)
"""Longer than that nobody is waited for, whatever they ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    id: str
    body: str

    def signature(self, secret: str, *, seconds: int) -> str:
        """By one secret, as version 1 of the scheme has it."""
        signed = f"{self.id}.{seconds}.{self.body}".encode()
        mac = hmac.new(b64decode(secret.removeprefix(PREFIX)), signed, sha256)
        return f"v1,{b64encode(mac.digest()).decode()}"

    def headers(self, secrets: Iterable[str], *, at: datetime) -> Mapping[str, str]:
        seconds = int(at.timestamp())
        signatures = [self.signature(secret, seconds=seconds) for secret in secrets]
        return {
            "content-type": "application/json",
            "user-agent": AGENT,
            "webhook-id": self.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(signatures),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``status`` is None where there was none. ``after``: how long it asks to be left alone."""

    status: int | None = None
    trouble: str | None = None
    after: timedelta | None = None

    @property
    def gone(self) -> bool:
        return self.status == HTTPStatus.GONE


def policy(url: str, exceptions: Exceptions) -> Policy:
    """To the webhook's own host alone."""
    asked = httpx.URL(url)
    hosts = frozenset({asked.host, asked.raw_host.decode()})
    return Policy(hosts=hosts, ports=PORTS, exceptions=exceptions)


async def post(
    client: httpx.AsyncClient,
    url: str,
    message: Message,
    headers: Mapping[str, str],
    *,
    patience_seconds: float,
    at: datetime,
) -> Answer:
    """Send it once. Whatever a stranger does is an answer, and not an error."""
    status: int | None = None
    after: timedelta | None = None
    try:
        async with asyncio.timeout(patience_seconds):
            sent = client.stream("POST", url, content=message.body.encode(), headers=headers)
            async with sent as response:
                status, after = response.status_code, _after(response, at)
                await _read(response)
    except (HostRefused, SourceUnavailable) as error:
        return Answer(trouble=str(error))
    except (TimeoutError, httpx.TimeoutException):
        if status is None:
            return Answer(trouble=f"It did not answer within {patience_seconds:g} seconds.")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        if status is None:
            return Answer(trouble=f"It could not be reached: {str(error) or type(error).__name__}")
    return Answer(status=status, trouble=_trouble(status), after=after)


async def _read(response: httpx.Response) -> None:
    """Raw, so that nothing small becomes something large."""
    read = 0
    async for part in response.aiter_raw():
        read += len(part)
        if read > READ_BYTES:
            return


def _trouble(status: int | None) -> str | None:
    match status:
        case None:
            return "It did not answer."
        case _ if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        case _ if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return f"It answered {status}, and redirects are not followed."
        case _:
            return f"It answered {status}."


def _after(response: httpx.Response, at: datetime) -> timedelta | None:
    """What ``Retry-After`` says, in seconds or as a date; None if it says nothing of use."""
    said = response.headers.get("retry-after", "").strip()
    asked: timedelta | None = None
    if said.isascii() and said.isdigit():
        asked = timedelta(seconds=min(int(said[:9]), int(LONGEST.total_seconds())))
    else:
        with suppress(ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
            asked = parsedate_to_datetime(said) - at
    return None if asked is None else min(max(asked, timedelta()), LONGEST)
