"""Whether this process lives, and whether it can serve."""

from fastapi import APIRouter

from api.problems import Code, Problem
from api.schemas import CheckView, ReadyView
from api.services import Handed, Services
from storage import schema
from storage.errors import DatabaseUnavailable, SetupError, StreamUnavailable

router = APIRouter(tags=["health"])


@router.get("/livez", operation_id="livez", summary="Whether the process lives; asks nobody")
async def livez() -> dict[str, str]:
    return {"state": "live"}


@router.get("/readyz", operation_id="readyz", summary="Whether requests can be served")
async def readyz(services: Handed) -> ReadyView:
    """Degraded is ready: without Redis everything works, and events come as snapshots from SQL."""
    checks = [*await _database(services), await _redis(services)]
    if all(check.status == "ok" for check in checks):
        return ReadyView(state="ready", checks=checks)
    if not any(check.status == "down" for check in checks):
        return ReadyView(state="degraded", checks=checks)
    bad = [check for check in checks if check.status == "down"]
    raise Problem(
        Code.NOT_READY,
        " ".join(check.detail for check in bad),
        action=bad[0].action,
        more={"state": "down", "checks": [check.model_dump() for check in checks]},
    )


async def _database(services: Services) -> list[CheckView]:
    reached = CheckView(name="database", status="ok", detail="The database answers.")
    try:
        await schema.check(services.database)
    except DatabaseUnavailable as error:
        return [_down("database", "The database does not answer.", error.action)]
    except SetupError as error:
        return [reached, _down("schema", f"{error}", error.action)]
    return [reached, CheckView(name="schema", status="ok", detail="The schema is up to date.")]


async def _redis(services: Services) -> CheckView:
    try:
        await services.pictures.probe()
    except StreamUnavailable as error:
        detail = "Redis does not answer: runs go on, and events are told from SQL."
        return CheckView(name="redis", status="degraded", detail=detail, action=error.action)
    return CheckView(name="redis", status="ok", detail="Redis answers.")


def _down(name: str, detail: str, action: str) -> CheckView:
    return CheckView(name=name, status="down", detail=detail, action=action)
