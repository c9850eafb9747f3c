"""How fresh a connection is: when it was ingested last, how old its news are, what that changed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, select

from storage import hints, runs, schedules
from storage.artifacts import ArtifactStatus
from storage.database import Tx
from storage.events import RunStatus
from storage.hints import Hinted
from storage.ids import ConnectionId, TenantId
from storage.runs import Run
from storage.tables import artifacts
from storage.tables import runs as runs_table

GOOD = (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_FAILURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """``newest_at`` is the source's moment of the newest artifact that can be searched.

    ``added`` and ``updated`` are what ``last`` made searchable and no later run has touched.
    """

    succeeded_at: datetime | None
    newest_at: datetime | None
    next_at: datetime | None
    hinted: Hinted | None
    last: Run | None
    added: int
    updated: int


async def of_connection(tx: Tx, tenant: TenantId, connection: ConnectionId) -> Freshness:
    schedule = await schedules.get(tx, tenant, connection)
    mine = and_(
        runs_table.c.tenant_id == tenant,
        runs_table.c.connection_id == connection,
        runs_table.c.workflow == "ingest",
    )
    succeeded = select(func.max(runs_table.c.finished_at)).where(
        mine, runs_table.c.status.in_(GOOD)
    )
    newest = select(func.max(artifacts.c.source_updated_at)).where(
        artifacts.c.tenant_id == tenant,
        artifacts.c.connection_id == connection,
        artifacts.c.status == ArtifactStatus.READY,
    )
    ended = select(runs_table.c.id).where(mine, runs_table.c.finished_at.is_not(None))
    last_id = await tx.scalar(ended.order_by(runs_table.c.id.desc()).limit(1))
    last = None if last_id is None else await runs.get(tx, tenant, last_id)
    added, updated = (0, 0) if last is None else await _changed(tx, connection, last)
    return Freshness(
        succeeded_at=await tx.scalar(succeeded),
        newest_at=await tx.scalar(newest),
        next_at=None if schedule is None else schedule.next_at,
        hinted=await hints.get(tx, tenant, connection),
        last=last,
        added=added,
        updated=updated,
    )


async def _changed(tx: Tx, connection: ConnectionId, run: Run) -> tuple[int, int]:
    new = case((artifacts.c.created_at >= run.created_at, 1), else_=0)
    query = select(func.coalesce(func.sum(new), 0), func.count()).where(
        artifacts.c.connection_id == connection,
        artifacts.c.run_id == run.id,
        artifacts.c.status == ArtifactStatus.READY,
    )
    added, all_of_it = (await tx.execute(query)).one()
    return int(added), int(all_of_it) - int(added)
