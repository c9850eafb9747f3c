"""The OpenAPI document as this installation has it: with an operation for each of its workflows."""

from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.document import with_workflows, without_keys
from api.needs import needs
from api.services import Handed
from storage import workflows
from storage.errors import DatabaseUnavailable
from storage.scopes import Scope
from storage.workflows import Published

router = APIRouter()
log = structlog.get_logger()


@router.get("/openapi.json", include_in_schema=False, dependencies=[needs(Scope.RUNS_READ)])
async def document(request: Request, services: Handed) -> JSONResponse:
    base: dict[str, Any] = request.app.openapi()
    made = with_workflows(base, await _catalogue(services))
    return JSONResponse(made if services.asks_for_keys else without_keys(made))


async def _catalogue(services: Handed) -> list[Published]:
    """None while the database is away: the document is for reading, and most of it is known."""
    try:
        async with services.database.reading() as tx:
            return await workflows.latest(tx)
    except DatabaseUnavailable as error:
        log.warning("document.incomplete", cause=str(error))
        return []
