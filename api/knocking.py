"""How a request says who it comes from: a key, a browser's token, or a ticket for one stream.

Without any of them only one-machine mode lets it in, and only as what this machine's own programs
and pages ask. Why somebody is not let in is not told: unknown, over and revoked look the same.
"""

from urllib.parse import urlsplit

import structlog
from fastapi import Request
from starlette.datastructures import Headers

from api.browsers import here
from api.callers import LOCAL, Caller, of_key, of_pass
from api.problems import Code, Problem
from api.services import Services
from storage import keys, passes
from storage.errors import DatabaseUnavailable
from storage.keys import Key
from storage.passes import TICKET, TOKEN, Pass
from storage.scopes import Scope

log = structlog.get_logger()
CHALLENGE = 'Bearer realm="headwater"'


async def identify(request: Request, services: Services, *, stream: bool) -> Caller:
    """Raises ``Problem``. Only the opening of a ``stream`` may say it by a ticket in its URL."""
    shown = request.headers.get("authorization")
    ticket = request.query_params.get("ticket") if stream else None
    if shown is not None:
        kind, _, secret = shown.partition(" ")
        if kind.lower() == "bearer":
            return await _of_secret(request, services, secret.strip())
    elif ticket is not None and ticket.startswith(TICKET):
        async with services.database.transaction() as tx:
            given = await passes.redeem(tx, ticket)
        return _of_browser(request, services, given)
    elif not services.asks_for_keys and not is_foreign(request.headers):
        return LOCAL
    raise unknown()


def require(caller: Caller, scope: Scope) -> None:
    if scope not in caller.scopes:
        raise Problem(
            Code.NOT_ALLOWED,
            f"This needs the scope {scope}, which the key or token does not have.",
            headers={
                "WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            },
        )


def is_foreign(headers: Headers) -> bool:
    """Whether a page of another origin asks, one that the operator named."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def unknown() -> Problem:
    return Problem(
        Code.UNAUTHENTICATED,
        "No key or token came with the request, or one that opens nothing (any more).",
        headers={"WWW-Authenticate": CHALLENGE},
    )


async def _of_secret(request: Request, services: Services, secret: str) -> Caller:
    async with services.database.reading() as tx:
        if secret.startswith(TOKEN):
            return _of_browser(request, services, await passes.find(tx, secret))
        key = await keys.find(tx, secret)
    if key is None:
        raise unknown()
    if is_foreign(request.headers):
        raise Problem(
            Code.NOT_ALLOWED,
            "A page of another origin sent a key, which is for servers: whoever sees the page "
            "sees the key. Revoke it.",
            action="Give the page a client token (POST /v1/client-tokens).",
        )
    await _note(services, key)
    return of_key(key)


def _of_browser(request: Request, services: Services, given: Pass | None) -> Caller:
    """A token is good in pages of its origin alone, wherever else it may have got to."""
    if given is None or not _comes_from(request, services, given.origin):
        raise unknown()
    return of_pass(given)


def _comes_from(request: Request, services: Services, origin: str | None) -> bool:
    if origin is None:
        return True
    said = request.headers.get("origin")
    if said is not None:
        return said == origin
    # Of its own server a page asks without saying its origin; this header no page can set.
    own = request.headers.get("sec-fetch-site") == "same-origin"
    return own and origin == here(request, services)


async def _note(services: Services, key: Key) -> None:
    if not key.unnoted:
        return
    try:
        async with services.database.transaction() as tx:
            await keys.used(tx, key)
    except DatabaseUnavailable as error:  # it can be read, or nobody had come so far
        log.warning("key.unnoted", cause=str(error))
