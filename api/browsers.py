"""The owner's browser: known by a cookie of its own, and what it finds where this server is."""

import secrets

from fastapi import Request, Response

from api.services import Services

COOKIE = "headwater_browser"
LASTS_SECONDS = 86_400


def here(request: Request, services: Services) -> str:
    """Where browsers reach this server. The Host header was checked at the door."""
    return services.doors.public_url or str(request.base_url).rstrip("/")


def browser_of(request: Request) -> str | None:
    return request.cookies.get(COOKIE) or None


def remember(request: Request, response: Response, services: Services) -> str:
    """Which browser this is, from now on if it was not known before.

    ``Lax``: it comes back with the redirect from a provider, and with no other site's request.
    """
    known = browser_of(request) or secrets.token_urlsafe(32)
    response.set_cookie(
        COOKIE,
        known,
        max_age=LASTS_SECONDS,
        httponly=True,
        samesite="lax",
        secure=here(request, services).startswith("https://"),
    )
    return known
