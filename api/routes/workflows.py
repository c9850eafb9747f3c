"""Workflows as an api: what there is, and asking for it, with or without waiting."""

import re
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse

from api import workflows as views
from api.belonging import absent
from api.callers import Caller
from api.needs import needs
from api.once import Answer, Once, Repeatable
from api.problems import Code, Problem
from api.routes.connections import found as connection_found
from api.routes.runs import accepted, found, tell, view
from api.schemas import Page, Started
from api.services import Asking, Handed, Services, Tenant
from api.stream import ends_within
from api.workflows import CONNECTION, Input, WorkflowView
from storage import results, runs, workflows
from storage.connections import Connection
from storage.database import Tx
from storage.events import RunStatus
from storage.ids import RunId, TenantId
from storage.runs import Run
from storage.scopes import Scope
from storage.workflows import Published

router = APIRouter(prefix="/v1/workflows", tags=["workflows"])
log = structlog.get_logger()
WAIT = re.compile(r"\bwait\s*=\s*(\d{1,6})\b", re.IGNORECASE)
SUCCESS = frozenset({RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_FAILURES})
PATIENCE_SECONDS = 30
MOST_PATIENCE_SECONDS = 300
Prefer = Annotated[
    str | None,
    Header(description="`wait=N`: how many seconds to wait for the result, 30 unless said, <= 300"),
]


@router.get(
    "",
    operation_id="list_workflows",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="What the workers can do",
)
async def page(services: Handed, tenant: Tenant) -> Page[WorkflowView]:  # noqa: ARG001  # all see it
    async with services.database.reading() as tx:
        return Page(items=[views.view(each) for each in await workflows.latest(tx)])


@router.get(
    "/{name}",
    operation_id="get_workflow",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="A workflow and its schemas",
)
async def one(name: str, services: Handed, tenant: Tenant) -> WorkflowView:  # noqa: ARG001  # see above
    async with services.database.reading() as tx:
        return views.view(await _workflow(tx, name))


@router.post(
    "/{name}/runs",
    operation_id="start_workflow",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Start a workflow",
    status_code=202,
    response_model=Started,
)
async def start(
    *, name: str, given: Input, services: Handed, asking: Asking, once: Repeatable
) -> Response:
    """Its events and its output can be followed at once. Each request is a run of its own."""
    response, _ = await _start(name, given, services, asking, once)
    return response


@router.post(
    "/{name}",
    operation_id="run_workflow",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Run a workflow and wait for its result",
)
async def run(
    *,
    name: str,
    given: Input,
    services: Handed,
    asking: Asking,
    once: Repeatable,
    prefer: Prefer = None,
) -> Response:
    """200 with the result if it is there in time, else 202 with the run, which goes on."""
    seconds = _patience(prefer)
    response, run_id = await _start(name, given, services, asking, once)
    waited = {"Preference-Applied": f"wait={seconds}", "Vary": "Prefer"}
    if await ends_within(services.hub, asking.tenant, run_id, seconds=seconds):
        return await _result(services, asking.tenant, run_id, waited)
    response.headers.update(waited)
    return response


async def _start(
    name: str,
    given: Input,
    services: Services,
    asking: Caller,
    once: Once,
) -> tuple[Response, RunId]:
    tenant = asking.tenant
    asked: list[RunId] = []

    async def work(tx: Tx) -> Answer:
        workflow = await _workflow(tx, name)
        views.check(workflow, given.root)
        connection = await _connection(tx, asking, given.root)
        new = await runs.ask(
            tx,
            tenant,
            workflow=workflow.name,
            title=workflow.title,
            input=given.root,
            connection=connection.id if connection else None,
            owner=connection.owner if connection else asking.owner,
        )
        log.info("workflow.requested", run_id=str(new.id), workflow=name)
        asked.append(new.id)
        return accepted(view(new))

    response = await once.do(work, body=given)
    if asked:
        await tell(services, asked[0])
    return response, RunId(UUID(response.headers["Location"].rpartition("/")[2]))


async def _workflow(tx: Tx, name: str) -> Published:
    workflow = await workflows.get(tx, name)
    if workflow is None:
        raise Problem(
            Code.NOT_FOUND,
            f"There is no workflow named {name!r}.",
            action="GET /v1/workflows lists them; a new one is there once a worker has it.",
        )
    return workflow


async def _connection(tx: Tx, asking: Caller, given: dict[str, Any]) -> Connection | None:
    named = given.get(CONNECTION)
    if not isinstance(named, str):
        return None
    try:
        wanted = UUID(named)
    except ValueError:
        raise Problem(Code.INVALID_REQUEST, f"{CONNECTION} is not the id of one.") from None
    there = await connection_found(tx, asking.tenant, wanted)
    if asking.owner not in {None, there.owner}:
        raise absent("connection", str(wanted))
    return there


async def _result(
    services: Services, tenant: TenantId, run_id: RunId, headers: dict[str, str]
) -> Response:
    async with services.database.reading() as tx:
        run = await found(tx, tenant, run_id)
        result = await results.find(tx, run_id)
    if result is None or run.status not in SUCCESS:
        raise _unsuccessful(run)
    headers |= {"Location": f"/v1/runs/{run_id}", "Cache-Control": "private, no-store"}
    return JSONResponse(result.output, headers=headers)


def _unsuccessful(run: Run) -> Problem:
    reason = run.reason or {}
    return Problem(
        Code.RUN_FAILED,
        reason.get("message") or f"The run is {run.status} and has no result.",
        action=reason.get("action"),
        headers={"Location": f"/v1/runs/{run.id}"},
        more={"run_id": str(run.id), "status_of_run": run.status},
    )


def _patience(prefer: str | None) -> int:
    said = WAIT.search(prefer or "")
    return PATIENCE_SECONDS if said is None else min(int(said[1]), MOST_PATIENCE_SECONDS)
