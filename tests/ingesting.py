"""Ingestions in the test's own process: everything real but Prefect, Redis and the clock's pace."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors import catalog
from connectors.connector import Spec
from connectors.memory import MemoryConnector, Notes, memory_spec
from pipelines.flows.attempt import Outcome, perform
from pipelines.flows.ingestion import Ingestion
from pipelines.flows.steps import Plain, Steps
from pipelines.llm.thinking import Thinking
from pipelines.runtime import Services, open_work
from pipelines.settings import PipelineSettings
from pipelines.workflow import Workflow
from pipelines.workshop import open_workshop
from storage import connections, failures, milestones, runs
from storage.connections import Connection
from storage.database import Database
from storage.events import Event, EventKind
from storage.failures import OpenFailure
from storage.ids import LOCAL_TENANT, RunId
from storage.outputs import OutputLog
from storage.queries import Queries
from storage.relay import Relay
from storage.runs import Run, wishes
from storage.streams.memory import MemoryEventLog
from storage.wakeup import MemoryWakeup


@dataclass(slots=True)
class House:
    """A worker's services, and what a person would do with them."""

    services: Services
    log: MemoryEventLog

    async def connect(
        self, kind: str, config: Mapping[str, Any], *, account: str | None = None
    ) -> Connection:
        async with self.services.database.transaction() as tx:
            made, _ = await connections.connect(
                *(tx, LOCAL_TENANT),
                owner="someone",
                kind=kind,
                title="Source",
                config=config,
                account=account,
            )
        return made

    async def request(self, connection: Connection) -> RunId:
        async with self.services.database.transaction() as tx:
            run, _ = await runs.request(
                tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
            )
        await self.services.relay.publish(run.id)
        return run.id

    async def claim(self, *, lease: timedelta = timedelta(seconds=15)) -> Run:
        """Take the run that waits. With no lease, the next one to claim takes it over."""
        async with self.services.database.transaction() as tx:
            [run] = await runs.claim(tx, worker="tester", lease=lease, limit=1)
        return run

    async def attempt(self, run: Run, steps: Callable[[Ingestion], Steps] = Plain) -> Outcome:
        async with open_work(self.services, run.id, run.attempt) as work:
            return await perform(work, steps)

    async def ingest(self, connection: Connection) -> Run:
        """A whole run, from the request to its end."""
        run_id = await self.request(connection)
        await self.attempt(await self.claim())
        return await self.run(run_id)

    async def retry(self, run: Run) -> RunId:
        """Ask to try again what failed, as the api does."""
        async with self.services.database.transaction() as tx:
            asked = await wishes.retry(tx, LOCAL_TENANT, run.id)
        assert asked is not None
        await self.services.relay.publish(asked[0].id)
        return asked[0].id

    async def failures(self, connection: Connection) -> list[OpenFailure]:
        async with self.services.database.reading() as tx:
            return await failures.page(
                tx, LOCAL_TENANT, connection.id, run=None, after=None, limit=100
            )

    async def run(self, run_id: RunId) -> Run:
        async with self.services.database.reading() as tx:
            run = await runs.find(tx, run_id)
        assert run is not None
        return run

    async def events(self, run_id: RunId) -> list[Event]:
        async with self.services.database.reading() as tx:
            return [event for _, event in await milestones.after(tx, run_id, 0)]

    async def kinds(self, run_id: RunId) -> list[EventKind]:
        return [event.kind for event in await self.events(run_id)]

    async def state(self, run_id: RunId) -> Mapping[str, Any]:
        """What a watcher sees."""
        snapshot = await self.log.snapshot(run_id)
        assert snapshot is not None
        return snapshot.state


@asynccontextmanager
async def open_house(
    database: Database,
    *specs: Spec,
    workflows: Mapping[str, Workflow[Any, Any]] | None = None,
    thinking: Thinking | None = None,
    settings: PipelineSettings | None = None,
    queries: Queries | None = None,
) -> AsyncGenerator[House]:
    log = MemoryEventLog()
    async with open_workshop() as workshop:
        services = Services(
            settings=settings or PipelineSettings(name="tester"),
            workflows=workflows or {},
            specs={**catalog.specs(), **{spec.kind: spec for spec in specs}},
            database=database,
            log=log,
            outputs=OutputLog(MemoryEventLog()),
            relay=Relay(database, log),
            wakeup=MemoryWakeup(),
            workshop=workshop,
            thinking=thinking,
            queries=queries,
        )
        yield House(services, log)


def notes(
    *names: str, connector: Callable[[Notes], MemoryConnector] = MemoryConnector
) -> tuple[Notes, Spec]:
    """A source of notes, each of which says its own name, and the connector that reads it."""
    source = Notes({name: f"This note is about {name}.".encode() for name in names})
    return source, memory_spec(source, connector)
