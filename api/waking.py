"""Runs that waited for an account: they go on once it is connected again."""

from collections.abc import Sequence

import structlog

from api.services import Services
from storage import runs
from storage.database import Tx
from storage.errors import StreamUnavailable
from storage.events import WaitingReason
from storage.ids import ConnectionId, RunId

log = structlog.get_logger()


async def wake(tx: Tx, connection: ConnectionId) -> list[RunId]:
    """In the transaction that keeps the new credential: no run misses it."""
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
