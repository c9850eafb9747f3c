"""Server-sent events as a browser reads them."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Told:
    """One event. ``id`` is None where the server gave none."""

    id: str | None
    event: str
    data: Mapping[str, Any]


async def told(response: httpx.Response) -> AsyncIterator[Told]:
    """The events of a response as they come, to its end."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        if line and name in {"id", "event", "data"}:
            fields[name] = value.removeprefix(" ")
        if not line and "data" in fields:
            yield Told(fields.get("id"), fields["event"], json.loads(fields["data"]))
            fields = {}
