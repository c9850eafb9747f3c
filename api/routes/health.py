"""Whether this process lives, and whether it can serve."""

import shutil
from collections.abc import Iterable

from fastapi import APIRouter

from api.needs import open_to_all
from api.problems import Code, Problem
from api.schemas import CheckView, ReadyView
from api.services import Handed, Services
from storage import complaints, schema
from storage.clock import now, shared_now
from storage.complaints import Complaint
from storage.errors import DatabaseUnavailable, SetupError, StreamUnavailable

router = APIRouter(tags=["health"])
PROBED = open_to_all("whoever starts and stops this process asks, and has no key")


@router.get(
    "/livez",
    operation_id="livez",
    dependencies=[PROBED],
    summary="Whether the process lives; asks nobody",
)
async def livez() -> dict[str, str]:
    return {"state": "live"}


@router.get(
    "/readyz",
    operation_id="readyz",
    dependencies=[PROBED],
    summary="Whether requests can be served",
)
async def readyz(services: Handed) -> ReadyView:
    """Degraded is ready (200): everything works, and something is worse than it should be.

    Without Redis, events come as snapshots from SQL. Only without the database, or with a schema of
    another version, there is nothing to serve (503).
    """
    checks = [*await _database(services), *await _redis(services), *_disk(services)]
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
    schema_is = CheckView(name="schema", status="ok", detail="The schema is up to date.")
    async with services.database.reading() as tx:
        there = await shared_now(tx)
    skewed = complaints.of_clock("database", "the database", there=there, here=now())
    return [*(_degraded(skewed) or [reached]), schema_is]


async def _redis(services: Services) -> list[CheckView]:
    try:
        await services.pictures.probe()
        traits = services.redis_traits and await services.redis_traits()
    except StreamUnavailable as error:
        detail = f"Runs go on, and events are told from SQL. {error}"
        return [CheckView(name="redis", status="degraded", detail=detail, action=error.action)]
    found = _degraded(complaints.of_redis(traits, here=now())) if traits else []
    return found or [CheckView(name="redis", status="ok", detail="Redis answers.")]


def _disk(services: Services) -> list[CheckView]:
    if services.data_dir is None:
        return []
    free = shutil.disk_usage(services.data_dir).free
    detail = f"{free / 1e9:,.1f} GB are free."
    found = _degraded(complaints.of_disk(free, services.data_dir))
    return found or [CheckView(name="disk", status="ok", detail=detail)]


def _degraded(found: Iterable[Complaint]) -> list[CheckView]:
    return [
        CheckView(name=each.part, status="degraded", detail=each.detail, action=each.action)
        for each in found
    ]


def _down(name: str, detail: str, action: str) -> CheckView:
    return CheckView(name=name, status="down", detail=detail, action=action)
