"""What a model is asked to read of a connection besides what it always reads."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.accounts import ConnectionView
from api.needs import needs
from api.problems import Code, Problem
from api.routes.connections import found, shown
from api.schemas import Config, Request
from api.services import Handed, Tenant
from storage import connections, profiles
from storage.ids import ConnectionId
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["connections"])


class ProfileRequest(Request):
    """Own instructions and own fields; both empty: only what is always read."""

    instructions: str = Field(default="", max_length=profiles.LONGEST_INSTRUCTIONS)
    fields: Config | None = Field(
        default=None, description="JSON schema of an object: what `extracted` holds in a reading"
    )


@router.put(
    "/connections/{connection_id}/profile",
    operation_id="set_profile",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    summary="Say what a model reads of a connection",
)
async def put(
    connection_id: UUID, wanted: ProfileRequest, services: Handed, tenant: Tenant
) -> ConnectionView:
    """It counts from the next run on, which reads again what was read by another profile."""
    stated = {"instructions": wanted.instructions, "schema": wanted.fields}
    try:
        profile = profiles.parse(stated)
    except profiles.ProfileInvalid as error:
        raise Problem(Code.INVALID_PROFILE, str(error)) from None
    kept = None if profile == profiles.STANDARD else stated
    async with services.database.transaction() as tx:
        await connections.ask_for(tx, tenant, ConnectionId(connection_id), kept)
        return shown(await found(tx, tenant, connection_id))
