"""What happened in a run, kept for good: every event of it but the progress ticks."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from storage.database import Tx
from storage.events import Event, EventKind, State, fold
from storage.ids import Attempt, RunId, TenantId
from storage.tables import milestones
from storage.webhooks import outbox


async def after(tx: Tx, run_id: RunId, number: int, *, limit: int = 500) -> list[tuple[int, Event]]:
    """The milestones that follow the given number, which counts from 1 in every run."""
    query = (
        select(milestones)
        .where(milestones.c.run_id == run_id, milestones.c.number > number)
        .order_by(milestones.c.number)
        .limit(limit)
    )
    return [
        (
            row.number,
            Event(
                kind=EventKind(row.kind),
                at=row.at,
                attempt=Attempt(row.attempt),
                data=row.data,
                patch=row.patch,
            ),
        )
        for row in await tx.execute(query)
    ]


async def folded(tx: Tx, run_id: RunId) -> State:
    """The state that all of them come to."""
    state: State = {}
    number = 0
    while page := await after(tx, run_id, number):
        state = fold(state, (event for _, event in page))
        number = page[-1][0]
    return state


async def add(tx: Tx, tenant: TenantId, run_id: RunId, number: int, event: Event) -> None:
    """Keep an event under a number that the run's row has given out: see ``storage.runs``."""
    await tx.execute(insert(milestones), _row(tenant, run_id, number, event))
    await outbox.tell_run(tx, tenant, run_id, number, event)


def _row(tenant: TenantId, run_id: RunId, number: int, event: Event) -> Mapping[str, Any]:
    return {
        "tenant_id": tenant,
        "run_id": run_id,
        "number": number,
        "kind": event.kind,
        "at": event.at,
        "attempt": event.attempt,
        "data": dict(event.data),
        "patch": dict(event.patch),
    }
