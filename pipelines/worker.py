"""A worker: one long-lived process that runs many attempts. ``python -m pipelines.worker``.

SIGTERM or SIGINT drains it: nothing more is claimed, what runs ends at its next boundary and is
handed over. A second one ends it at once; then the leases run out, and others go on.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import structlog
from structlog.typing import Processor

from pipelines.runtime import Services, lend, open_services
from pipelines.settings import PipelineSettings
from storage import crashpoints, models, runs, workers, workflows
from storage.errors import SetupError, StorageUnavailable
from storage.models import Models
from storage.settings import StorageSettings

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # How attempts end is told by the attempts; to Prefect, one that was handed over is an error.
    "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "1",
}

HEALTH_SECONDS = 0.5
LAST_SECONDS = 20.0  # after the drain: to close what is open

log = structlog.get_logger()


def main() -> int:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    crashpoints.arm(os.environ.get(crashpoints.VARIABLE, ""))
    _log_as_json()
    thread = WorkerThread()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, thread.stop)
    thread.start()
    while thread.is_alive():
        thread.join(1.0)
        if thread.overdue:
            os._exit(1)  # something does not let go; leases see to the rest
    return thread.code


class WorkerThread(threading.Thread):
    """The loop, beside the main thread: in that one, Prefect's engine would take our signals."""

    def __init__(self) -> None:
        super().__init__(name="worker")
        self.code = 1
        self._stop_asked = False
        self._drain: Callable[[], object] | None = None
        self._patience_seconds = LAST_SECONDS
        self._deadline = float("inf")

    @property
    def overdue(self) -> bool:
        """Whether it was told to stop long ago."""
        return time.monotonic() > self._deadline

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
            self.code = 0
        except SetupError as error:
            _tell_setup(error)
        except Exception as error:  # noqa: BLE001  # the edge of the process
            _tell_broken(error)

    def stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a handler's
        if self._stop_asked:
            os._exit(128 + number)
        self._stop_asked = True
        self._deadline = time.monotonic() + self._patience_seconds
        if self._drain is not None:
            with suppress(RuntimeError):  # the loop has ended by itself meanwhile
                self._drain()

    async def _serve(self) -> None:
        async with open_services(PipelineSettings(), StorageSettings()) as services:
            self._patience_seconds = services.settings.drain_seconds + LAST_SECONDS
            loop = asyncio.get_running_loop()
            self._drain = lambda: loop.call_soon_threadsafe(services.draining.set)
            if self._stop_asked:
                return
            await _inherit(services)
            async with lend(services):
                await _dispatch(services)


async def _inherit(services: Services) -> None:
    """Let the runs of a predecessor go: it is known to be dead, so nobody has to wait."""
    dead = services.settings.heir_of
    if dead is None:
        return
    with suppress(StorageUnavailable):  # then their leases end by themselves
        async with services.database.transaction() as tx:
            found = await runs.inherit(tx, dead)
            await workers.leave(tx, dead)
        log.info("worker.inherits", predecessor=dead, runs=found)


async def _dispatch(services: Services) -> None:
    # Prefect reads its environment when it is imported, and takes seconds: not before it is needed.
    from pipelines.dispatch import Dispatcher  # noqa: PLC0415
    from pipelines.flows.orchestrator import open_orchestrator  # noqa: PLC0415
    from pipelines.stages import warm  # noqa: PLC0415

    settings = services.settings
    gc.freeze()  # what was imported stays: looking through it at each collection costs 100 ms
    warming = asyncio.create_task(warm(services.workshop))
    async with open_orchestrator(settings.pool) as orchestrator:
        log.info("worker.waiting_for_prefect", url=orchestrator.url)
        while not await orchestrator.healthy():
            if await _told_within(services.draining, HEALTH_SECONDS):
                return
        await orchestrator.register(settings.name)
        await _publish(services)
        log.info("worker.ready", name=settings.name, slots=settings.slots, pool=settings.pool)
        await Dispatcher(services, orchestrator).serve()
    warming.cancel()
    await asyncio.gather(warming, return_exceptions=True)
    log.info("worker.drained", name=settings.name)


async def _publish(services: Services) -> None:
    """Say what this worker can do: from now on it may be asked for."""
    async with services.database.transaction() as tx:
        await workflows.publish(tx, [each.published() for each in services.workflows.values()])
        await models.publish(tx, services.thinking.models if services.thinking else Models())


async def _told_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _tell_setup(error: SetupError) -> None:
    log.error("worker.cannot_start", reason=str(error), action=error.action)


def _tell_broken(error: Exception) -> None:
    log.error("worker.broken", exc_info=error)


def _log_as_json() -> None:
    """One JSON object a line on stderr, whoever logs."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


if __name__ == "__main__":
    sys.exit(main())
