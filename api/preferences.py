"""What a client would rather have: RFC 7240, as far as it means something here."""

from fastapi import Response

MINIMAL = "return=minimal"
RESPOND_ASYNC = "respond-async"
KNOWN = frozenset({MINIMAL, RESPOND_ASYNC})


def prefers(header: str | None) -> frozenset[str]:
    """The preferences of a Prefer header that can be honoured."""
    given = (header or "").lower().replace('"', "").replace(";", ",").split(",")
    return frozenset("=".join(part.split()) if "=" in part else part.strip() for part in given)


def applied(response: Response, wanted: frozenset[str]) -> Response:
    """The answer as it is preferred, saying so. A run is always answered before it is done."""
    honoured = wanted & KNOWN
    if not honoured:
        return response
    response.headers["Preference-Applied"] = ", ".join(sorted(honoured))
    response.headers["Vary"] = "Prefer"
    if MINIMAL in honoured:
        response.body = b""
        response.headers["Content-Length"] = "0"
    return response
