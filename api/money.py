"""Money as the api shows it."""

from decimal import Decimal

from pydantic import Field

from api.dollars import Dollars
from api.schemas import Request, View
from storage.money import NANOS, Budget, Used


class UsageRow(View):
    component: str
    model: str
    calls: int
    input_tokens: int = Field(description="Cached ones included")
    cached_tokens: int
    output_tokens: int
    cost_usd: Dollars
    unpriced: int = Field(description="Calls of models with no known price: the dearest was taken")


class UsageView(View):
    """What models used for a run, in all its attempts."""

    items: list[UsageRow]
    cost_usd: Dollars


class BudgetRequest(Request):
    """What may be spent; null takes the limit off."""

    month_usd: Dollars | None = Field(default=None, description="By all runs in a calendar month")
    run_usd: Dollars | None = Field(default=None, description="By a run without one of its own")


class RunBudget(Request):
    usd: Dollars | None = Field(description="What this run may spend; null: what any run may")


class BudgetView(View):
    """What may be spent on models; null where there is no limit."""

    month_usd: Dollars | None = None
    run_usd: Dollars | None = None


def nanos(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * NANOS)


def dollars(amount: int | None) -> Decimal | None:
    return None if amount is None else Decimal(amount) / NANOS


def budget_view(budget: Budget) -> BudgetView:
    return BudgetView(month_usd=dollars(budget.month), run_usd=dollars(budget.run))


def usage_view(rows: list[Used]) -> UsageView:
    items = [
        UsageRow(
            component=row.component,
            model=row.model,
            calls=row.calls,
            input_tokens=row.input_tokens,
            cached_tokens=row.cached_tokens,
            output_tokens=row.output_tokens,
            cost_usd=Decimal(row.cost_nanos) / NANOS,
            unpriced=row.unpriced,
        )
        for row in rows
    ]
    return UsageView(items=items, cost_usd=sum((row.cost_usd for row in items), Decimal(0)))
