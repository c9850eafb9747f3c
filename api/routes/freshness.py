"""How fresh a connection is."""

from uuid import UUID

from fastapi import APIRouter

from api.fresh import ChangesView, FreshnessView
from api.needs import needs
from api.routes.connections import found
from api.services import Handed, Tenant
from storage import freshness
from storage.freshness import Freshness
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["connections"])


@router.get(
    "/connections/{connection_id}/freshness",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    operation_id="get_freshness",
    summary="How fresh a connection is, and what its last run changed",
)
async def one(connection_id: UUID, services: Handed, tenant: Tenant) -> FreshnessView:
    async with services.database.reading() as tx:
        connection = await found(tx, tenant, connection_id)
        it = await freshness.of_connection(tx, tenant, connection.id)
    return FreshnessView(
        connection_id=connection_id,
        last_success_at=it.succeeded_at,
        newest_artifact_at=it.newest_at,
        next_run_at=it.next_at,
        last_hint_at=None if it.hinted is None else it.hinted.at,
        pending_hints=0 if it.hinted is None else it.hinted.pending,
        last_run=_changes(it),
    )


def _changes(it: Freshness) -> ChangesView | None:
    if it.last is None:
        return None
    counts, path = it.last.counts, f"/v1/runs/{it.last.id}"
    return ChangesView(
        run_id=it.last.id,
        status=it.last.status,
        finished_at=it.last.finished_at,
        added=it.added,
        updated=it.updated,
        deleted=counts.deleted,
        unchanged=counts.unchanged,
        skipped=sum(counts.skipped.values()),
        failed=sum(counts.failed.values()),
        links={
            "run": path,
            "receipt": f"{path}/receipt",
            "changed": f"{path}/artifacts?status=ready",
            "failed": f"{path}/artifacts?status=failed",
        },
    )
