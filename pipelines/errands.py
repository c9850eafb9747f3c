"""Vectors that no run asks for: for a search, or for an index that is made anew.

What they take is the tenant's all the same: counted for it under no run, within its month's budget.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pipelines.errors import MustWait
from pipelines.llm.gateway import Caller, ServiceClass
from pipelines.llm.thinking import Thinking
from pipelines.llm.vectors import Embedder, Vector
from storage.database import Database
from storage.ids import RunId, TenantId
from storage.money import Budget, usage

NO_RUN = RunId(UUID(int=0))
"""Usage is kept by run; this is none."""


async def embed(
    thinking: Thinking,
    database: Database,
    tenant: TenantId,
    texts: Sequence[str],
    *,
    model: str,
    dimension: int | None,
    service: ServiceClass,
    deadline: datetime | None = None,
) -> list[Vector]:
    """Raises ``MustWait``; what was paid before it is counted."""
    async with database.reading() as tx:
        budget = await usage.budget(tx, tenant)
        before = await usage.spent(tx, tenant, NO_RUN)
    gateway, tally = thinking.attempt(budget=Budget(month=budget.month), before=before)
    purpose = "search" if service is ServiceClass.INTERACTIVE else "embed"
    caller = Caller(purpose=purpose, tenant=tenant, service=service, deadline=deadline)
    embedder = Embedder(gateway=gateway, model=model, dimension=dimension, caller=caller)
    try:
        made = await embedder.embed(texts)
    finally:
        async with database.transaction() as tx:
            await usage.add(tx, tenant, NO_RUN, tally.take())
    return [_arrived(each) for each in made]


def _arrived(made: Vector | MustWait) -> Vector:
    if isinstance(made, MustWait):
        raise made
    return made
