"""What a product's server gives to its pages, so that they ask for themselves and hold no key.

Not answered twice to one Idempotency-Key: then the secret would have to be kept. Asking again is
another token, and the one that got lost is over in minutes.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.belonging import owner_of
from api.knocking import require
from api.needs import needs
from api.routes.runs import found, missing
from api.services import Asking, Handed
from api.tokens import TicketMade, TokenMade, TokenWanted
from storage import passes, tenants
from storage.ids import RunId
from storage.passes import TICKET_LASTS
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["operations"])
NO_STORE = "no-store"


@router.post(
    "/client-tokens",
    operation_id="give_token",
    dependencies=[needs(Scope.TOKENS_WRITE)],
    summary="A token for a page of yours, for fifteen minutes",
    status_code=201,
)
async def give(
    wanted: TokenWanted, services: Handed, asking: Asking, response: Response
) -> TokenMade:
    """It may what is named, of what the key itself may, and only in pages of the origin."""
    for scope in wanted.scopes:
        require(asking, scope)
    owner = owner_of(asking, wanted.owner)
    named = None if wanted.run_ids is None else frozenset(map(RunId, wanted.run_ids))
    async with services.database.transaction() as tx:
        await tenants.settle(tx, asking.tenant)
        for run in named or ():
            if owner not in {None, (await found(tx, asking.tenant, run)).owner}:
                raise missing(run)
        made, token = await passes.give(
            tx,
            asking.tenant,
            key=asking.key,
            owner=owner,
            scopes=wanted.scopes,
            runs=named,
            origin=wanted.origin,
        )
    response.headers["Cache-Control"] = NO_STORE
    return TokenMade(token=token, expires_at=made.expires_at)


@router.post(
    "/runs/{run_id}/ticket",
    operation_id="give_ticket",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="A ticket that opens a stream of a run once, for EventSource",
    status_code=201,
)
async def ticket(
    run_id: UUID, services: Handed, asking: Asking, request: Request, response: Response
) -> TicketMade:
    """`EventSource` sends no headers: add `?ticket=` to the stream's URL, within a minute.

    It is for pages of the origin that asks for it. For `fetch` there is no need of one.
    """
    async with services.database.transaction() as tx:
        run = await found(tx, asking.tenant, run_id)
        made, secret = await passes.give(
            tx,
            asking.tenant,
            key=asking.key,
            owner=asking.owner,
            scopes={Scope.RUNS_READ},
            runs=[run.id],
            origin=asking.origin or request.headers.get("origin"),
            lasts=TICKET_LASTS,
            once=True,
        )
    response.headers["Cache-Control"] = NO_STORE
    return TicketMade(ticket=secret, expires_at=made.expires_at)
