"""What a worker does besides its runs, each as long as it lives."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from pipelines.answering import Answering
from pipelines.monitor import Monitor
from pipelines.reindexing import Reindexer
from pipelines.runtime import Services

Duty = Callable[[], Coroutine[Any, Any, None]]


def duties(services: Services) -> Sequence[Duty]:
    found: list[Duty] = [Monitor(services).watch, Reindexer(services).serve]
    if services.thinking is not None and services.queries is not None:
        answering = Answering(
            queries=services.queries, thinking=services.thinking, database=services.database
        )
        found.append(answering.serve)
    return found
