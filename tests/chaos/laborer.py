"""A worker without a Prefect server: the real dispatcher over a shell that starts flows itself.

Everything that decides anything is the product's: claims, leases, draining, attempts, commits. Only
where Prefect would be asked, this process answers itself; that makes hundreds of cases affordable.
The cases that are about Prefect run ``python -m pipelines.worker``.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar, cast
from uuid import uuid4

import structlog
from prefect.client.schemas.objects import FlowRun

from pipelines.digest import Document
from pipelines.dispatch import Dispatcher
from pipelines.flows.attempt import perform
from pipelines.flows.orchestrator import Orchestrator, Placed
from pipelines.flows.steps import Plain
from pipelines.runtime import Services, lend, open_services, open_work
from pipelines.settings import PipelineSettings
from pipelines.workshop import Limits, Workshop
from storage.errors import AttemptFenced, RunEnded
from storage.ids import Attempt, RunId
from storage.settings import StorageSettings
from tests.chaos.processes import WORK_LOG
from tests.chaos.source import POISON

T = TypeVar("T")
R = TypeVar("R")
OWN_PROCESSES = "CHAOS_OWN_PROCESSES"


def main() -> int:
    asyncio.run(_serve())
    return 0


async def _serve() -> None:
    async with open_services(PipelineSettings(), StorageSettings()) as services:
        _drain_on_term(services)
        own = (
            services if OWN_PROCESSES in os.environ else replace(services, workshop=Bench(Limits()))
        )
        async with lend(own):
            await Dispatcher(own, Shell(own)).serve()


def _drain_on_term(services: Services) -> None:
    def stop() -> None:
        if services.draining.is_set():
            os._exit(128 + signal.SIGTERM)
        services.draining.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)


class Bench(Workshop):
    """A workshop in this very process, which writes down what it is given to do."""

    async def run(self, function: Callable[[T], R], item: T) -> R:
        if isinstance(item, Document):
            self._note(item)
            if POISON.encode() in item.data:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(item)

    def _note(self, document: Document) -> None:
        log = os.open(os.environ[WORK_LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(
            log, f"{os.getpid()} {sha256(document.data).hexdigest()} {document.path}\n".encode()
        )
        os.close(log)


class Shell(Orchestrator):
    """What is placed here is waiting here, and is performed here."""

    def __init__(self, services: Services) -> None:
        super().__init__(cast(Any, None), "chaos")
        self.services = services
        self.placed: dict[tuple[RunId, Attempt], Placed] = {}

    async def greet(self, worker: str) -> None:
        """There is nobody to greet."""

    async def place(self, run: RunId, attempt: Attempt, *, workflow: str, name: str) -> None:
        flow_run = FlowRun(flow_id=uuid4(), name=f"{workflow}: {name}")
        self.placed.setdefault((run, attempt), Placed(flow_run, run, attempt, workflow))

    async def waiting(self) -> Sequence[Placed]:
        return list(self.placed.values())

    async def reserve(self, placed: Placed) -> bool:
        return self.placed.pop((placed.run, placed.attempt), None) is not None

    async def perform(self, placed: Placed) -> str:
        with structlog.contextvars.bound_contextvars(run=str(placed.run), attempt=placed.attempt):
            try:
                async with open_work(self.services, placed.run, placed.attempt) as work:
                    return (await perform(work, Plain)).message
            except (AttemptFenced, RunEnded) as refusal:
                return str(refusal)

    async def unfinished(self) -> Sequence[Placed]:
        return []

    async def write_off(self, placed: Placed) -> None:
        """Nobody was told of it."""
