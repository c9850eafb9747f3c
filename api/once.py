"""Doing a request once, however often it is sent.

What was answered to an ``Idempotency-Key`` is kept in the transaction that did the work: either
both are there or neither. Of two at once, both get the answer that is kept.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.callers import Caller
from api.services import Asking, Handed
from storage import requests
from storage.database import Database, Tx
from storage.ids import TenantId
from storage.requests import Answer

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key with the same request is done once and answered the same",
    ),
]
__all__ = ["Answer", "Key", "Once", "Repeatable"]


@dataclass(frozen=True, slots=True)
class Once:
    """What a request is known again by, and where that is kept."""

    database: Database
    tenant: TenantId
    route: str
    key: str | None

    async def do(
        self, work: Callable[[Tx], Awaitable[Answer]], *, body: BaseModel | None = None
    ) -> Response:
        """The answer of ``work``, or what it answered to this key before."""
        fingerprint = _fingerprint(body)
        async with self.database.transaction() as tx:
            if self.key is None:
                return _response(await work(tx))
            kept = (self.tenant, self.route, self.key, fingerprint)
            before = await requests.replay(tx, *kept)
            if before is not None:
                return _response(before, replayed=True)
            answer = await requests.keep(tx, *kept, await work(tx))
        return _response(answer)


async def _once(services: Handed, asking: Asking, request: Request, key: Key = None) -> Once:
    route = f"{request.method} {request.url.path}"
    return Once(services.database, asking.tenant, route, _of_caller(asking, key))


Repeatable = Annotated[Once, Depends(_once)]


def _of_caller(caller: Caller, key: str | None) -> str | None:
    """An owner's keys are its own: no other one is answered what was answered to it."""
    if key is None or caller.owner is None:
        return key
    return hashlib.sha256(f"{caller.owner}\0{key}".encode()).hexdigest()


def _response(answer: Answer, *, replayed: bool = False) -> Response:
    headers = {"Cache-Control": "private, no-store", **answer.headers}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(answer.body, answer.status, headers)


def _fingerprint(body: BaseModel | None) -> str:
    value = None if body is None else body.model_dump(mode="json")
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
