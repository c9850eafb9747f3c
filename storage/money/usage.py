"""What was used of models, by run, component and model, and what may be spent.

Usage outlives the runs it was for: what a tenant has paid this month does not shrink when a
connection is erased. It holds numbers and names of models, nothing of what was read.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import RowMapping, delete, func, select

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.ids import RunId, TenantId
from storage.tables import budgets, usage

OF_MONTH = "month"
OF_RUN = "run"
"""What each run may spend, unless a limit of its own is kept under its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """``cost_nanos`` are nano-dollars. ``unpriced`` calls cost what the dearest model would."""

    component: str
    model: str
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """In nano-dollars; None: no limit."""

    month: int | None = None
    run: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """In nano-dollars: by the run in all its attempts, and by its tenant this month."""

    month: int
    run: int


_SUMMED = [each.name for each in fields(Used) if each.name not in {"component", "model"}]


async def add(tx: Tx, tenant: TenantId, run: RunId, rows: Sequence[Used]) -> None:
    """Add to what is known of the run. Commit it with what was made of the answers."""
    if not rows:
        return
    month = _month(now())
    common = {"tenant_id": tenant, "run_id": run, "month": month}
    statement = insert(tx, usage)
    summed = {name: usage.c[name] + statement.excluded[name] for name in _SUMMED}
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "run_id", "component", "model", "month"], set_=summed
        ),
        [common | asdict(row) for row in rows],
    )


async def of_run(tx: Tx, tenant: TenantId, run: RunId) -> list[Used]:
    """By component and model."""
    query = (
        select(
            usage.c.component,
            usage.c.model,
            *(func.sum(usage.c[name]).label(name) for name in _SUMMED),
        )
        .where(usage.c.tenant_id == tenant, usage.c.run_id == run)
        .group_by(usage.c.component, usage.c.model)
        .order_by(usage.c.component, usage.c.model)
    )
    return [_used(row) for row in (await tx.execute(query)).mappings()]


async def spent(tx: Tx, tenant: TenantId, run: RunId) -> Spent:
    mine = usage.c.tenant_id == tenant
    total = func.coalesce(func.sum(usage.c.cost_nanos), 0)
    in_run = await tx.scalar(select(total).where(mine, usage.c.run_id == run))
    in_month = await tx.scalar(select(total).where(mine, usage.c.month == _month(now())))
    return Spent(month=int(in_month or 0), run=int(in_run or 0))


async def budget(tx: Tx, tenant: TenantId, run: RunId | None = None) -> Budget:
    """What the tenant may spend a month, and this run; without one, what runs may in general."""
    query = select(budgets.c.key, budgets.c.limit_nanos).where(budgets.c.tenant_id == tenant)
    limits = {row.key: row.limit_nanos for row in await tx.execute(query)}
    own = limits.get(str(run)) if run else None
    return Budget(month=limits.get(OF_MONTH), run=own if own is not None else limits.get(OF_RUN))


async def limit(tx: Tx, tenant: TenantId, key: str, limit_nanos: int | None) -> None:
    """Set what ``OF_MONTH``, ``OF_RUN`` or one run (its id) may spend; None takes the limit off."""
    if limit_nanos is None:
        await tx.execute(delete(budgets).where(budgets.c.tenant_id == tenant, budgets.c.key == key))
        return
    statement = insert(tx, budgets)
    row = {"tenant_id": tenant, "key": key, "limit_nanos": limit_nanos, "updated_at": now()}
    await tx.execute(
        statement.values(row).on_conflict_do_update(
            index_elements=["tenant_id", "key"],
            set_={"limit_nanos": limit_nanos, "updated_at": now()},
        )
    )


def _used(row: RowMapping) -> Used:
    # PostgreSQL sums big integers to decimals.
    numbers = {name: int(row[name]) for name in _SUMMED}
    return Used(component=row["component"], model=row["model"], **numbers)


def _month(moment: datetime) -> str:
    return moment.strftime("%Y-%m")
