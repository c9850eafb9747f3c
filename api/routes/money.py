"""What models used, and what they may: budgets that are enforced, and raised while a run waits."""

from uuid import UUID

from fastapi import APIRouter

from api.money import (
    BudgetRequest,
    BudgetView,
    RunBudget,
    UsageView,
    budget_view,
    nanos,
    usage_view,
)
from api.needs import needs
from api.routes.runs import missing, tell
from api.services import Handed, Services, Tenant
from storage import runs, tenants
from storage.database import Tx
from storage.events import WaitingReason
from storage.ids import RunId, TenantId
from storage.money import usage
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["money"])


@router.get(
    "/budgets",
    operation_id="get_budgets",
    dependencies=[needs(Scope.MONEY_READ)],
    summary="What may be spent on models",
)
async def budgets(services: Handed, tenant: Tenant) -> BudgetView:
    async with services.database.reading() as tx:
        return budget_view(await usage.budget(tx, tenant))


@router.put(
    "/budgets",
    operation_id="set_budgets",
    dependencies=[needs(Scope.MONEY_WRITE)],
    summary="Say what may be spent on models",
)
async def set_budgets(wanted: BudgetRequest, services: Handed, tenant: Tenant) -> BudgetView:
    """Runs that wait for their budget look at once whether it is enough now."""
    async with services.database.transaction() as tx:
        await tenants.settle(tx, tenant)
        await usage.limit(tx, tenant, usage.OF_MONTH, nanos(wanted.month_usd))
        await usage.limit(tx, tenant, usage.OF_RUN, nanos(wanted.run_usd))
        woken = await runs.wake(tx, tenant=tenant, reason=WaitingReason.BUDGET)
        now = await usage.budget(tx, tenant)
    await _tell(services, woken)
    return budget_view(now)


@router.put(
    "/runs/{run_id}/budget",
    operation_id="set_run_budget",
    dependencies=[needs(Scope.MONEY_WRITE)],
    summary="Raise a run's budget",
)
async def set_run_budget(
    run_id: UUID, wanted: RunBudget, services: Handed, tenant: Tenant
) -> BudgetView:
    """A run that waits for it goes on."""
    async with services.database.transaction() as tx:
        run = await _known(tx, tenant, run_id)
        await usage.limit(tx, tenant, str(run), nanos(wanted.usd))
        woken = await runs.wake(tx, run=run, tenant=tenant, reason=WaitingReason.BUDGET)
        now = await usage.budget(tx, tenant, run)
    await _tell(services, woken)
    return budget_view(now)


@router.get(
    "/runs/{run_id}/usage",
    operation_id="get_usage",
    dependencies=[needs(Scope.RUNS_READ)],
    summary="What models used for a run",
)
async def run_usage(run_id: UUID, services: Handed, tenant: Tenant) -> UsageView:
    async with services.database.reading() as tx:
        run = await _known(tx, tenant, run_id)
        return usage_view(await usage.of_run(tx, tenant, run))


async def _known(tx: Tx, tenant: TenantId, run_id: UUID) -> RunId:
    run = await runs.get(tx, tenant, RunId(run_id))
    if run is None:
        raise missing(run_id)
    return run.id


async def _tell(services: Services, woken: list[RunId]) -> None:
    for run_id in woken:
        await tell(services, run_id)
