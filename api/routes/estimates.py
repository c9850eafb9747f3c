"""What an ingestion will come to, before it is started."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter

from api.estimates import EstimateView
from api.estimating import estimate, is_sized
from api.looking import looking
from api.needs import needs
from api.routes.connections import found
from api.services import Handed, Tenant
from connectors.artifact import PartitionKey
from connectors.connector import Connector, Partition, Plan, Scope
from storage import artifacts, models, scopes

MOST_SCOPES = 500

router = APIRouter(prefix="/v1", tags=["connections"])


@router.post(
    "/connections/{connection_id}/estimate",
    dependencies=[needs(scopes.Scope.CONNECTIONS_READ)],
    operation_id="estimate",
    summary="What an ingestion would come to: artifacts, tokens, money and time",
)
async def of_connection(connection_id: UUID, services: Handed, tenant: Tenant) -> EstimateView:
    """Looks at the source, which may take up to a minute, and reads nothing of it."""
    async with services.database.reading() as tx:
        connection = await found(tx, tenant, connection_id)
        ingested = await artifacts.searchable(tx, connection.id)
        known = await models.published(tx)
    async with (
        looking(),
        services.doors.opened(services.database, connection, actor="estimate") as connector,
    ):
        plan = await _sized(connector, await connector.plan())
    return estimate(plan, known, ingested=ingested)


async def _sized(connector: Connector, plan: Plan) -> Plan:
    """Some sources count only what is to be chosen from: what the plan leaves open is there."""
    if all(map(is_sized, plan.partitions)):
        return plan
    scopes = dict[PartitionKey, Scope]()
    async for scope in connector.discover():
        scopes[scope.key] = scope
        if len(scopes) == MOST_SCOPES:
            break
    known = [_filled(each, scopes.get(each.key)) for each in plan.partitions]
    return replace(plan, partitions=tuple(known))


def _filled(partition: Partition, scope: Scope | None) -> Partition:
    if scope is None or is_sized(partition):
        return partition
    return replace(partition, artifacts=scope.artifacts, size_bytes=scope.size_bytes)
