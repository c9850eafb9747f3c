"""Finding what was ingested."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import words
from api.belonging import absent
from api.callers import Caller
from api.needs import needs
from api.routes.connections import found
from api.schemas import NO_NUL, Hits, HitView
from api.services import Asking, Handed
from storage import connections
from storage.database import Tx
from storage.ids import ConnectionId
from storage.scopes import Scope
from storage.search import Hit

router = APIRouter(prefix="/v1", tags=["search"])
MOST = 50


@router.get(
    "/search",
    operation_id="search",
    dependencies=[needs(Scope.SEARCH_READ)],
    summary="Search by words and by meaning",
)
async def search(
    services: Handed,
    asking: Asking,
    q: Annotated[str, Query(min_length=1, max_length=1_000, pattern=NO_NUL)],
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most")] = 10,
    connection_id: Annotated[UUID | None, Query(description="Only in this connection")] = None,
) -> Hits:
    """The best place of each artifact, best artifact first. Also while a run is at work."""
    async with services.database.reading() as tx:
        places = await _places(tx, asking, connection_id)
        found_now = await services.searcher.find(
            tx, asking.tenant, q, connections=places, limit=limit
        )
    note = None if found_now.by_meaning else words.BY_WORDS
    return Hits(items=[_shown(hit) for hit in found_now.hits], note=note)


async def _places(tx: Tx, asking: Caller, wanted: UUID | None) -> list[ConnectionId] | None:
    """The connections to look in, None for all of the tenant's."""
    if wanted is not None:
        there = await found(tx, asking.tenant, wanted)
        if asking.owner not in {None, there.owner}:
            raise absent("connection", str(wanted))
        return [there.id]
    if asking.owner is None:
        return None
    return await connections.of_owner(tx, asking.tenant, asking.owner)


def _shown(hit: Hit) -> HitView:
    return HitView(
        artifact_id=hit.artifact_id,
        connection_id=hit.connection_id,
        title=hit.title,
        path=hit.path,
        url=hit.url,
        symbol=hit.symbol,
        start_line=hit.start_line,
        end_line=hit.end_line,
        snippet=hit.text,
        summary=hit.summary,
        score=hit.score,
    )
