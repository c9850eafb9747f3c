"""Disconnecting for good: every byte of a connection is erased, with a receipt."""

from uuid import UUID

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.accounts import ErasureView
from api.disconnecting import erase
from api.needs import needs
from api.problems import Code, Problem
from api.services import Handed, Tenant
from storage import connections, erasing
from storage.erasing import Erasure
from storage.ids import ConnectionId
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["connections"])
log = structlog.get_logger()


@router.delete(
    "/connections/{connection_id}",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="erase_connection",
    summary="Disconnect for good: revoke the grant, and erase every byte of the connection",
    status_code=202,
    response_model=ErasureView,
)
async def delete(connection_id: UUID, services: Handed, tenant: Tenant) -> JSONResponse:
    """It is gone for everybody at once; a worker erases the rest. Asking again answers the same.

    The same account can be connected again at once: it is another connection then.
    """
    async with services.database.reading() as tx:
        connection = await connections.get(tx, tenant, ConnectionId(connection_id))
    if connection is not None:
        begun = await erase(services, connection)
    else:
        async with services.database.transaction() as tx:
            begun = await erasing.find(tx, tenant, ConnectionId(connection_id))
    if begun is None:
        raise Problem(Code.NOT_FOUND, f"There is no connection {connection_id}.")
    log.info("connection.erasing", connection=str(connection_id), erasure=str(begun.id))
    await services.wakeup.ring()
    headers = {"Location": f"/v1/erasures/{begun.id}", "Retry-After": "2"}
    return JSONResponse(shown(begun).model_dump(mode="json"), status_code=202, headers=headers)


@router.get(
    "/erasures/{erasure_id}",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    operation_id="get_erasure",
    summary="How far it is: at last a receipt",
)
async def one(erasure_id: UUID, services: Handed, tenant: Tenant) -> ErasureView:
    """It outlives the connection, and holds nothing of it but its id."""
    async with services.database.reading() as tx:
        it = await erasing.get(tx, tenant, erasure_id)
    if it is None:
        raise Problem(Code.NOT_FOUND, f"There is no erasure {erasure_id}.")
    return shown(it)


def shown(it: Erasure) -> ErasureView:
    return ErasureView(
        id=it.id,
        connection_id=it.connection,
        step=it.step,
        revoked=it.revoked,
        counts=dict(it.counts),
        requested_at=it.requested_at,
        finished_at=it.finished_at,
    )
