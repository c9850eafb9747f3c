"""What a run made of its source, artifact by artifact."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from api.needs import needs
from api.pagination import Paged
from api.problems import Code, Problem
from api.routes.runs import found
from api.schemas import ArtifactView, Page
from api.services import Handed, Tenant
from storage import artifacts
from storage.artifacts import ArtifactRow, ArtifactStatus
from storage.ids import ArtifactId, RunId
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["artifacts"])
HIGHEST = 2**63 - 1


@router.get(
    "/runs/{run_id}/artifacts",
    operation_id="list_artifacts",
    dependencies=[needs(Scope.SEARCH_READ)],
    summary="The artifacts a run wrote, in the order they were found",
)
async def page(
    *,
    run_id: UUID,
    services: Handed,
    tenant: Tenant,
    status: ArtifactStatus | None = None,
    paging: Paged,
) -> Page[ArtifactView]:
    """What was unchanged since an earlier run is listed there."""
    listing = f"artifacts:{tenant}:{run_id}:{status}"
    async with services.database.reading() as tx:
        run = await found(tx, tenant, run_id)
        rows = (
            []
            if run.connection is None
            else await artifacts.page(
                tx,
                tenant,
                run.connection,
                run=RunId(run_id),
                status=status,
                after=paging.place(listing, lambda text: ArtifactId(int(text))),
                limit=paging.more,
            )
        )
    shown, next_cursor = paging.cut(listing, rows, lambda row: row.id)
    return Page(items=[_view(row) for row in shown], next_cursor=next_cursor)


@router.get(
    "/artifacts/{artifact_id}",
    operation_id="get_artifact",
    dependencies=[needs(Scope.SEARCH_READ)],
    summary="An artifact",
)
async def one(
    artifact_id: Annotated[int, Path(ge=1, le=HIGHEST)], services: Handed, tenant: Tenant
) -> ArtifactView:
    async with services.database.reading() as tx:
        row = await artifacts.get(tx, tenant, ArtifactId(artifact_id))
    if row is None:
        raise Problem(Code.NOT_FOUND, f"There is no artifact {artifact_id}.")
    return _view(row)


def _view(row: ArtifactRow) -> ArtifactView:
    return ArtifactView(
        id=row.id,
        connection_id=row.connection,
        external_id=row.external_id,
        kind=row.kind,
        title=row.title,
        path=row.path,
        url=row.url,
        mime=row.mime,
        size=row.size,
        status=row.status,
        reason=row.reason,
        detail=row.detail,
        action=row.action,
        reading=None if row.reading is None else dict(row.reading),
        updated_at=row.updated_at,
    )
