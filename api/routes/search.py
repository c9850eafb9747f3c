"""Finding what was ingested."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import words
from api.routes.connections import found
from api.schemas import NO_NUL, Hits, HitView
from api.services import Handed, Tenant
from storage.ids import ConnectionId
from storage.search import Hit

router = APIRouter(prefix="/v1", tags=["search"])
MOST = 50


@router.get("/search", operation_id="search", summary="Search by words and by meaning")
async def search(
    services: Handed,
    tenant: Tenant,
    q: Annotated[str, Query(min_length=1, max_length=1_000, pattern=NO_NUL)],
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most")] = 10,
    connection_id: Annotated[UUID | None, Query(description="Only in this connection")] = None,
) -> Hits:
    """The best place of each artifact, best artifact first. Also while a run is at work."""
    async with services.database.reading() as tx:
        if connection_id is not None:
            await found(tx, tenant, connection_id)
        found_now = await services.searcher.find(
            tx,
            tenant,
            q,
            connection=None if connection_id is None else ConnectionId(connection_id),
            limit=limit,
        )
    note = None if found_now.by_meaning else words.BY_WORDS
    return Hits(items=[_shown(hit) for hit in found_now.hits], note=note)


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
