"""What a worker does beside its runs, for all: watch, come to schedules, tell, tidy up."""

from collections.abc import Callable, Coroutine
from typing import Any

from pipelines.aftermath import Aftermath
from pipelines.answering import Answering
from pipelines.arming import Arming
from pipelines.courier import Courier
from pipelines.eraser import Eraser
from pipelines.flows.orchestrator import AWAY, Orchestrator
from pipelines.hinting import Hinting
from pipelines.monitor import Monitor
from pipelines.reindexing import Reindexer
from pipelines.runtime import Services
from pipelines.schedules import Scheduler
from pipelines.upkeep import Upkeep
from storage.ids import RunId


def watching(
    services: Services, orchestrator: Orchestrator, started: Callable[[RunId], None]
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """Each goes on until it is cancelled, but the first; and none needs to be the only one."""
    settings = services.settings
    found = [
        Aftermath(services.database, services.relay, services.outputs).settle,
        Monitor(services).watch,
        Reindexer(services).serve,
        Scheduler(services.database, started).watch,
        Hinting(services.database, services.specs, started).watch,
        Arming(services).watch,
        Upkeep(services.database, settings.grace, settings.keep).watch,
        Eraser(services, orchestrator, AWAY).watch,
        Courier(services.database, services.keyring, services.settings.egress).watch,
    ]
    if services.thinking is not None and services.queries is not None:
        answering = Answering(
            queries=services.queries, thinking=services.thinking, database=services.database
        )
        found.append(answering.serve)
    return found
