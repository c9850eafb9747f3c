"""What became of each item of a run's work, so that no attempt of it does again what one has done.

A row goes with its run. Results that other runs may use are in the ledger, under the same keys.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from storage.bulk import batches, insert
from storage.database import Tx
from storage.ids import RunId, TenantId
from storage.tables import outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``value`` is None too where the result is in the ledger; ``failure`` says why there is none.

    A failure is ``{failure, detail, action}``, as readers of the run are told it.
    """

    component: str
    value: Any = None
    failure: Mapping[str, str] | None = None


async def get(tx: Tx, run_id: RunId, keys: Collection[str]) -> Mapping[str, Outcome]:
    """Those of the run that are settled, by key."""
    found: dict[str, Outcome] = {}
    for batch in batches(keys):
        query = select(outcomes).where(outcomes.c.run_id == run_id, outcomes.c.key.in_(batch))
        for row in await tx.execute(query):
            found[row.key] = Outcome(component=row.component, value=row.value, failure=row.failure)
    return found


async def settle(
    tx: Tx, tenant: TenantId, run_id: RunId, made: Mapping[str, Outcome]
) -> Collection[str]:
    """Keep what is not kept yet, and answer its keys: what is settled stays as it is."""
    new: set[str] = set()
    for batch in batches(made.items()):
        rows = [
            {
                "tenant_id": tenant,
                "run_id": run_id,
                "key": key,
                "component": outcome.component,
                "value": outcome.value,
                "failure": None if outcome.failure is None else dict(outcome.failure),
            }
            for key, outcome in batch
        ]
        statement = insert(tx, outcomes).values(rows).on_conflict_do_nothing()
        kept = await tx.execute(statement.returning(outcomes.c.key))
        new |= {row.key for row in kept}
    return new
