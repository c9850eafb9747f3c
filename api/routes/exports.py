"""All that is held about an owner, for them to have."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.belonging import owner_of
from api.knocking import require
from api.needs import needs
from api.routes.connections import masked
from api.schemas import Name
from api.services import Asking, Handed
from storage.database import Database
from storage.export import export
from storage.ids import TenantId
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["connections"])
NDJSON = "application/x-ndjson"
ALSO = (Scope.CONNECTIONS_READ, Scope.RUNS_READ)
LINE: dict[str, Any] = {"type": "string", "description": "One object a line, each with its `type`"}
EXAMPLE = (
    '{"type":"export","owner":"ada","at":"2026-11-28T10:00:00+00:00"}\n{"type":"end","counts":{}}\n'
)


@router.get(
    "/export",
    dependencies=[needs(Scope.SEARCH_READ)],
    operation_id="export_owner",
    summary="All that is held about an owner, as lines of JSON",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Lines, to the one of the type `end`",
            "content": {NDJSON: {"schema": LINE, "example": EXAMPLE}},
        }
    },
)
async def everything(
    owner: Annotated[Name, Query(description="As in the owner's connections")],
    services: Handed,
    asking: Asking,
) -> StreamingResponse:
    """One object a line, each with its `type`, and no secrets.

    Connections, their artifacts with text and readings, runs with what they told, asked and came
    to, and what else is kept of them. Needs `connections:read` and `runs:read` as well.

    The last line is `end`, with the number of lines of each type. An answer without it was cut
    off: ask again.
    """
    for scope in ALSO:
        require(asking, scope)
    whose = owner_of(asking, owner) or owner
    lines = _lines(services.database, asking.tenant, whose)
    headers = {"Cache-Control": "private, no-store"}
    return StreamingResponse(lines, media_type=NDJSON, headers=headers)


async def _lines(database: Database, tenant: TenantId, owner: str) -> AsyncIterator[bytes]:
    async for line in export(database, tenant, owner):
        if line["type"] == "connection":
            line["config"] = masked(line["kind"], line["config"])
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
