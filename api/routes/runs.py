"""Starting runs, and how they are."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse

from api.needs import needs
from api.once import Answer, Repeatable
from api.pagination import Paged
from api.preferences import applied, prefers
from api.problems import Code, Problem
from api.routes.connections import found as connection_found
from api.schemas import (
    CountsView,
    FailureView,
    IndexView,
    Page,
    ReaderView,
    ReasonView,
    ReceiptView,
    RunView,
    Started,
)
from api.services import Asking, Handed, Services, Tenant
from storage import receipts, runs
from storage.database import Tx
from storage.errors import StreamUnavailable
from storage.events import RunStatus, State
from storage.ids import ConnectionId, RunId, Seq, TenantId
from storage.runs import Run
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["runs"])
log = structlog.get_logger()
WORKFLOW = "ingest"
NO_STORE = "private, no-store"


@router.post(
    "/connections/{connection_id}/runs",
    operation_id="start_run",
    dependencies=[needs(Scope.RUNS_WRITE)],
    summary="Ingest a connection, or join the run that is at it",
    status_code=202,
    response_model=Started,
)
async def start(
    *,
    connection_id: UUID,
    services: Handed,
    tenant: Tenant,
    once: Repeatable,
    prefer: Annotated[str | None, Header(description="`return=minimal` for no body")] = None,
) -> Response:
    started: list[RunId] = []

    async def work(tx: Tx) -> Answer:
        connection = await connection_found(tx, tenant, connection_id)
        run, created = await runs.request(
            tx, tenant, connection=connection, workflow=WORKFLOW, input={}
        )
        log.info("run.requested", run_id=str(run.id), created=created)
        started.append(run.id)
        return accepted(view(run))

    response = await once.do(work)
    if started:
        await tell(services, started[0])
    return applied(response, prefers(prefer))


@router.get(
    "/runs",
    operation_id="list_runs",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="Runs, the newest first",
)
async def page(
    *,
    services: Handed,
    asking: Asking,
    connection_id: UUID | None = None,
    status: RunStatus | None = None,
    paging: Paged,
) -> Page[RunView]:
    """As SQL has them. What changes by the second (stages, rate, ETA) is in the run itself."""
    tenant, owner = asking.tenant, asking.owner
    listing = f"runs:{tenant}:{connection_id}:{status}:{owner}"
    async with services.database.reading() as tx:
        rows = await runs.page(
            tx,
            tenant,
            connection=None if connection_id is None else ConnectionId(connection_id),
            status=status,
            owner=owner,
            after=paging.after(listing, RunId),
            limit=paging.more,
        )
    some, next_cursor = paging.cut(listing, rows, lambda row: row.id)
    items = [view(row) for row in some]
    return Page(items=items, next_cursor=next_cursor)


@router.get(
    "/runs/{run_id}",
    operation_id="get_run",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="A run as it is now",
    response_model=RunView,
)
async def one(
    run_id: UUID,
    services: Handed,
    tenant: Tenant,
    if_none_match: Annotated[str | None, Header(description="An ETag: 304 while it holds")] = None,
) -> Response:
    async with services.database.reading() as tx:
        run = await found(tx, tenant, run_id)
    state, seq, tag = await _now(services, run)
    headers = {"ETag": tag, "Cache-Control": NO_STORE}
    if tag in {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}:
        return Response(status_code=304, headers=headers)
    return JSONResponse({**state, "seq": seq}, headers=headers)


@router.get(
    "/runs/{run_id}/receipt",
    operation_id="get_receipt",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="What a run came to",
)
async def receipt(run_id: UUID, services: Handed, tenant: Tenant) -> ReceiptView:
    """Also of a run that goes on: then it says how far it has come."""
    async with services.database.reading() as tx:
        made = await receipts.receipt(tx, tenant, RunId(run_id))
        if made is None:
            raise missing(run_id)
    return ReceiptView(
        run_id=run_id,
        connection_id=made.run.connection,
        title=made.run.title,
        status=made.status,
        reason=None if made.run.reason is None else ReasonView(**made.run.reason),
        seconds=made.seconds,
        counts=CountsView(**made.counts.to_json()),
        adds_up=made.adds_up,
        index=IndexView(artifacts=made.index.artifacts, chunks=made.index.chunks),
        failures=[FailureView.model_validate(each) for each in made.failures],
        unread=[FailureView.model_validate(each) for each in made.unread],
        reader=None if made.reader is None else ReaderView(**made.reader),
    )


async def found(tx: Tx, tenant: TenantId, run_id: UUID) -> Run:
    run = await runs.get(tx, tenant, RunId(run_id))
    if run is None:
        raise missing(run_id)
    return run


async def tell(services: Services, run_id: RunId) -> None:
    """The run is committed: whoever cannot be told now, finds it in SQL."""
    try:
        await services.relay.publish(run_id)
    except StreamUnavailable as error:
        log.warning("run.unpublished", run_id=str(run_id), cause=str(error))
    await services.wakeup.ring()


def accepted(run: RunView) -> Answer:
    path = f"/v1/runs/{run.id}"
    body = Started(run=run, events_url=f"{path}/events", cursor=0)
    headers = {"Location": path, "Retry-After": "1"}
    return Answer(202, headers, body.model_dump(mode="json"))


def missing(run_id: UUID) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is no run {run_id}.")


async def _now(services: Services, run: Run) -> tuple[State, Seq | None, str]:
    """The run's state, its seq and its ETag; from SQL while Redis is away."""
    if not services.hub.away:
        try:
            live = await services.pictures.live(run.id)
            if run.finished_at is not None and not live.ended:  # who had to tell it has died
                await services.pictures.mend(run.id)
                live = await services.pictures.live(run.id)
        except StreamUnavailable:
            pass
        else:
            return live.state, live.as_of, f'"r-{live.as_of}"'
    kept = await services.pictures.kept(run.id)
    return kept.state, kept.ended_at, f'"k-{kept.milestones}-{run.seq}"'


def view(run: Run) -> RunView:
    """The run as SQL has it."""
    return RunView.model_validate(
        {
            "id": run.id,
            "connection_id": run.connection,
            "workflow": run.workflow,
            "title": run.title,
            "status": run.status,
            "reason": run.reason,
            "wish": run.wish,
            "attempt": run.attempt,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "first_queryable_at": run.first_queryable_at,
            "finished_at": run.finished_at,
            "counts": run.counts.to_json(),
        }
    )
