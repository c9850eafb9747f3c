"""The way to a provider and back: the code flow of OAuth 2.0 with PKCE (RFC 6749, 7636, 9700).

One redirect address for each provider, to the letter. What comes back through the browser is only
believed for who began it: the state is used up before anything is done with it, and names owner,
kind, provider and connection; nothing of that is taken from the address.
"""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from api.browsers import browser_of, here
from api.consenting import Returned, finish
from api.doors import spec_of
from api.needs import open_to_all
from api.problems import Code, Problem
from api.services import Handed
from connectors.connector import Spec
from connectors.oauth.client import OAuthClient
from storage import connecting
from storage.connecting import SessionId

router = APIRouter(
    prefix="/v1/oauth/{provider}",
    include_in_schema=False,
    dependencies=[open_to_all("the state and the browser's cookie say whose way it is")],
)
log = structlog.get_logger()
Said = Annotated[str | None, Query(max_length=4_096)]


@router.get("/start")
async def start(
    provider: str, session: UUID, services: Handed, request: Request
) -> RedirectResponse:
    """To the provider's consent page. Scopes are those of the kind; nothing comes from outside."""
    browser = browser_of(request)
    if browser is None:
        return _page(problem="browser")
    async with services.database.transaction() as tx:
        found = await connecting.get(tx, SessionId(session), browser=browser)
        if found is None or found.kind is None:
            return _page(problem="session")
        spec = spec_of(found.kind)
        client = services.doors.locksmith.client(spec)
        consent = spec.consent
        if client is None or consent is None or consent.provider != provider:
            raise _no_app(spec, provider)
        redirect_uri = f"{here(request, services)}/v1/oauth/{provider}/callback"
        state, verifier = await connecting.ask(
            tx,
            services.doors.keyring,
            found,
            browser=browser,
            kind=found.kind,
            provider=provider,
            redirect_uri=redirect_uri,
        )
    where = await client.authorize_url(
        consent, state=state, verifier=verifier, redirect_uri=redirect_uri
    )
    log.info("consent.asked", session=str(session), provider=provider)
    return _go(where)


@router.get("/callback")
async def callback(
    provider: str,
    services: Handed,
    request: Request,
    *,
    state: Said = None,
    code: Said = None,
    error: Said = None,
    iss: Said = None,
) -> RedirectResponse:
    browser = browser_of(request)
    if browser is None or not state:
        return _page(problem="browser")
    async with services.database.transaction() as tx:
        consent = await connecting.redeem(
            tx, services.doors.keyring, state, browser=browser, provider=provider
        )
    if consent is None:
        log.warning("consent.refused", provider=provider)
        return _page(problem="consent")
    client = services.doors.locksmith.client(spec_of(consent.kind))
    if client is None:
        raise _no_app(spec_of(consent.kind), provider)
    if _from_somebody_else(client, iss):
        code, error = None, "issuer"
    await finish(services, consent, client, Returned(code, error))
    return _page(session=str(consent.session.id))


def _from_somebody_else(client: OAuthClient, iss: str | None) -> bool:
    """Whether another authorization server answered (RFC 9207)."""
    issuer = client.provider.issuer
    return iss is not None and issuer is not None and iss != issuer


def _page(**query: str) -> RedirectResponse:
    return _go(f"/connect?{urlencode(query)}")


def _go(where: str) -> RedirectResponse:
    return RedirectResponse(where, 303, {"Cache-Control": "no-store"})


def _no_app(spec: Spec, provider: str) -> Problem:
    prefix = f"HEADWATER_OAUTH__{provider.upper()}"
    return Problem(
        Code.INVALID_REQUEST,
        f"{spec.title} cannot be connected this way: no app is set up at {provider}.",
        action=f"Set {prefix}__CLIENT_ID and {prefix}__CLIENT_SECRET.",
    )
