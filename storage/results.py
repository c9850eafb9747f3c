"""What the runs of workflows came to, kept with their last milestone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from storage.bulk import insert
from storage.database import Tx
from storage.ids import RunId, TenantId
from storage.tables import results


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``output`` as the workflow's output schema describes it; ``text`` and ``items`` as said."""

    text: str
    items: Sequence[Any]
    output: Any


async def keep(tx: Tx, tenant: TenantId, run_id: RunId, result: Result) -> None:
    """In the transaction of the run's last milestone, whose fence is this write's, too."""
    row = {
        "tenant_id": tenant,
        "run_id": run_id,
        "text": result.text,
        "items": list(result.items),
        "output": result.output,
    }
    said = {name: row[name] for name in ("text", "items", "output")}
    statement = insert(tx, results).values(row)
    await tx.execute(statement.on_conflict_do_update(index_elements=["run_id"], set_=said))


async def find(tx: Tx, run_id: RunId) -> Result | None:
    """The result of a run of any tenant: check the run's first."""
    row = (await tx.execute(select(results).where(results.c.run_id == run_id))).one_or_none()
    return None if row is None else Result(text=row.text, items=row.items, output=row.output)
