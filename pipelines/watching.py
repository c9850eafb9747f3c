"""What a worker does beside its runs, for all: to watch, to come to schedules, to tidy up."""

from collections.abc import Callable, Coroutine
from typing import Any

from pipelines.aftermath import Aftermath
from pipelines.answering import Answering
from pipelines.eraser import Eraser
from pipelines.flows.orchestrator import AWAY, Orchestrator
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
        Upkeep(services.database, settings.grace, settings.keep).watch,
        Eraser(services, orchestrator, AWAY).watch,
    ]
    if services.thinking is not None and services.queries is not None:
        answering = Answering(
            queries=services.queries, thinking=services.thinking, database=services.database
        )
        found.append(answering.serve)
    return found
