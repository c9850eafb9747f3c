"""Which pages of other origins may ask: those that the operator named, without cookies.

Never ``*``, and never ``Access-Control-Allow-Credentials``: what a page of another origin may do is
in the token it sends, and in nothing that its browser adds by itself.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from api.problems import Code, Problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FOR_PAGES = "/v1/"
PREFLIGHT: Mapping[str, str] = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, "
        "X-Request-ID"
    ),
    "Access-Control-Max-Age": "600",
}
EXPOSED = (
    "ETag, Idempotency-Replayed, Location, Preference-Applied, RateLimit, RateLimit-Policy, "
    "Retry-After, X-Request-ID"
)


def is_named(headers: Headers, path: str, named: frozenset[str]) -> bool:
    return path.startswith(FOR_PAGES) and headers.get("origin") in named


def check(method: str, headers: Headers) -> None:
    """Refuse what another site's page sends. Following a link to here is no such thing."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise Problem(Code.FOREIGN_ORIGIN, "The request comes from a page of another origin.")
    foreign = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
    navigates = method in SAFE and headers.get("sec-fetch-mode") == "navigate"
    if foreign and not navigates:
        raise Problem(Code.FOREIGN_ORIGIN, "The request comes from a page of another site.")


def preflight(method: str, headers: Headers) -> Response | None:
    """The answer to a browser that asks whether its page may ask; None: it does ask."""
    if method != "OPTIONS" or "access-control-request-method" not in headers:
        return None
    return Response(status_code=204, headers=dict(PREFLIGHT))


def permit(headers: MutableHeaders, origin: str) -> None:
    """Let a page of this origin read the answer."""
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Expose-Headers"] = EXPOSED
    headers.add_vary_header("Origin")
