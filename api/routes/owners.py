"""Everything of one owner's page on one connection."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from api.accept import best
from api.belonging import owner_of
from api.cards import CardStream, as_frame
from api.cursors import open_places, seal
from api.encoding import Format
from api.needs import needs
from api.problems import Code, Problem
from api.routes.events import frames_now
from api.routes.following import JSON, OFFERED
from api.schemas import Name
from api.services import Asking, Handed, Services
from storage.ids import RunId, Seq, TenantId
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["runs"])


@router.get(
    "/events",
    dependencies=[needs(Scope.RUNS_READ, stream=True)],
    operation_id="follow_owner",
    summary="What happens in all runs of an owner's page",
    response_class=Response,
)
async def events(
    *,
    owner: Annotated[Name, Query(description="As in the owner's connections")],
    services: Handed,
    asking: Asking,
    accept: Annotated[str | None, Header(description="How the frames come")] = None,
    last_event_id: Annotated[
        str | None, Header(description="The `id` of the last event seen: go on after it")
    ] = None,
    cursor: Annotated[
        str | None, Query(description="The same, where headers cannot be set")
    ] = None,
) -> Response:
    """The latest ingestion of each of their connections, and whatever else of them is unfinished.

    `cards` says which these are, now and whenever that changes. Each run is told by the rules of
    its own stream, with its `run_id`. The stream goes on when they are over: new ones may come.
    """
    media = best(accept, OFFERED)
    if media is None:
        raise Problem(Code.NOT_ACCEPTABLE, "Events come as one of three types.")
    places = open_places(last_event_id or cursor)
    tenant, owner = asking.tenant, owner_of(asking, owner) or owner
    if media == JSON:
        return await _now(services, tenant, owner, places)
    return CardStream(
        services.hub, services.owners, tenant, owner, places=places, form=Format(media)
    )


async def _now(
    services: Services, tenant: TenantId, owner: str, places: dict[RunId, Seq]
) -> Response:
    """What follows the cursor, without waiting for more."""
    cards = await services.owners.look(tenant, owner)
    frames: list[dict[str, Any]] = [{"type": "cards", **as_frame(cards)}]
    reached: dict[RunId, Seq] = {}
    for card in cards:
        told, place = await frames_now(services.hub, card.run, places.get(card.run))
        frames += [{**frame, "run_id": str(card.run)} for frame in told]
        if place.cursor is not None and not place.adrift:
            reached[card.run] = place.cursor
    body = {"frames": frames, "cursor": seal(reached), "ended": False}
    return JSONResponse(body, headers={"Cache-Control": "private, no-store", "Vary": "Accept"})
