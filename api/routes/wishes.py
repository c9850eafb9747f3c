"""Asking things of a run: to stop, to pause, to go on, to try again what failed.

Each may be asked again and changes nothing then. Whoever is at the run comes to it within two
seconds, at its next step; the answer's ``wish`` says so until it has.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from fastapi import APIRouter, Response

from api.needs import needs
from api.once import Answer, Once, Repeatable
from api.routes.runs import accepted, missing, tell, view
from api.schemas import RunView, Started
from api.services import Handed, Services
from storage import runs
from storage.database import Tx
from storage.ids import RunId, TenantId
from storage.runs import Run
from storage.scopes import Scope

router = APIRouter(prefix="/v1/runs/{run_id}", tags=["runs"])
log = structlog.get_logger()

Ask = Callable[[Tx, TenantId, RunId], Awaitable[Run | None]]


@router.post(
    "/cancel",
    operation_id="cancel_run",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Stop a run for good; what was indexed is kept",
    status_code=202,
    response_model=RunView,
)
async def cancel(run_id: UUID, services: Handed, once: Repeatable) -> Response:
    """The run as the list has it, without what changes by the second."""
    return await _ask(runs.cancel, run_id, services, once)


@router.post(
    "/pause",
    operation_id="pause_run",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Stop a run until it is resumed",
    status_code=202,
    response_model=RunView,
)
async def pause(run_id: UUID, services: Handed, once: Repeatable) -> Response:
    """The run as the list has it, without what changes by the second."""
    return await _ask(runs.pause, run_id, services, once)


@router.post(
    "/resume",
    operation_id="resume_run",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Go on with a paused run, from where it was",
    status_code=202,
    response_model=RunView,
)
async def resume(run_id: UUID, services: Handed, once: Repeatable) -> Response:
    """It takes a pause back that nobody came to yet; a run that is not paused just goes on."""
    return await _ask(runs.resume, run_id, services, once)


@router.post(
    "/retry-failed",
    operation_id="retry_failed",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Try again what failed, in a new run",
    status_code=202,
    response_model=Started,
)
async def retry_failed(run_id: UUID, services: Handed, once: Repeatable) -> Response:
    """All that is failed in the connection of a run that is over, and what has changed since."""
    started: list[RunId] = []

    async def work(tx: Tx) -> Answer:
        answer = await runs.retry(tx, once.tenant, RunId(run_id))
        if answer is None:
            raise missing(run_id)
        new, created = answer
        log.info("run.retried", run_id=str(run_id), by=str(new.id), created=created)
        started.append(new.id)
        return accepted(view(new))

    response = await once.do(work)
    for new_id in started:
        await tell(services, new_id)
    return response


async def _ask(ask: Ask, run_id: UUID, services: Services, once: Once) -> Response:
    async def work(tx: Tx) -> Answer:
        run = await ask(tx, once.tenant, RunId(run_id))
        if run is None:
            raise missing(run_id)
        log.info("run.asked", run_id=str(run_id), ask=ask.__name__, status=run.status)
        headers = {"Location": f"/v1/runs/{run.id}", "Retry-After": "1"}
        return Answer(202, headers, view(run).model_dump(mode="json"))

    response = await once.do(work)
    await tell(services, RunId(run_id))
    return response
