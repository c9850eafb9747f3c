"""What waited for an account, runs and schedules: it goes on once that is connected again."""

from collections.abc import Sequence

import structlog

from api.services import Services
from storage import runs, schedules
from storage.database import Tx
from storage.errors import StreamUnavailable
from storage.events import WaitingReason
from storage.ids import ConnectionId, RunId, TenantId
from storage.schedules import Hold

log = structlog.get_logger()


async def wake(tx: Tx, tenant: TenantId, connection: ConnectionId) -> list[RunId]:
    """In the transaction that keeps the new credential, after it: nothing misses it."""
    await schedules.let_go(tx, tenant, connection, Hold.REAUTHORIZATION)
    return await runs.wake(tx, connection=connection, reason=WaitingReason.REAUTHORIZATION)


async def tell_woken(services: Services, woken: Sequence[RunId]) -> None:
    """Tell watchers and workers, after the commit. Without Redis they find out by themselves."""
    try:
        for run in woken:
            await services.relay.publish(run)
        if woken:
            await services.wakeup.ring()
    except StreamUnavailable as error:
        log.warning("waking.untold", detail=str(error))
