"""Where pipelines meet the world: settings in, open services and an attempt's work out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from connectors import catalog
from connectors.connector import Spec
from connectors.locksmith import Locksmith
from connectors.oauth.settings import OAuthSettings
from pipelines import workflow
from pipelines.bookkeeping import RunRecords
from pipelines.context import Clock, Context, SystemClock
from pipelines.errors import HandedOver
from pipelines.journal import Journal
from pipelines.library import SqlLibrary
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import Thinking, Thoughts, open_thinking, recall
from pipelines.progress import Jobs, Progress
from pipelines.records import Hands
from pipelines.reporter import Reporter
from pipelines.settings import PipelineSettings
from pipelines.stages import READER
from pipelines.tracing import TracingSettings, open_tracing
from pipelines.vital import Mine, Vital
from pipelines.workflow import Workflow
from pipelines.workshop import Limits, Workshop, open_workshop
from storage import connections, crashpoints, milestones, runs, schema
from storage.connections import Connection
from storage.database import Database, Tx, open_database
from storage.errors import RunEnded, SetupError
from storage.events import EventLog, State
from storage.ids import Attempt, RunId
from storage.outputs import OutputLog
from storage.queries import Queries
from storage.relay import Relay
from storage.runs import Run
from storage.sealed import Keyring
from storage.settings import StorageSettings
from storage.streams.connect import open_redis
from storage.streams.redis import Channel, RedisEventLog
from storage.wakeup import RedisWakeup, Wakeup

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What one process opens once, for all its runs."""

    settings: PipelineSettings
    specs: Mapping[str, Spec]
    workflows: Mapping[str, Workflow[Any, Any]]
    database: Database
    log: EventLog
    outputs: OutputLog
    relay: Relay
    wakeup: Wakeup
    workshop: Workshop
    locksmith: Locksmith = field(default_factory=Locksmith)
    keyring: Callable[[], Keyring] = lambda: Keyring({})
    """The keys to the credentials, looked for when the first account is opened."""

    thinking: Thinking | None = None
    """None: there is no key, and no model reads."""

    queries: Queries | None = None
    """What is searched for, on its way here to be embedded."""

    clock: Clock = field(default_factory=SystemClock)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: set[Mine] = field(default_factory=set[Mine])
    """Attempts here that somebody wishes to stop: they end at their next boundary."""

    vitals: dict[Mine, Vital] = field(default_factory=dict[Mine, Vital])
    """How the attempts here get on, from their adoption to their end: the heart beats for them."""

    unpublished: set[RunId] = field(default_factory=set[RunId])
    """Runs that ended here while Redis was away: their last milestones wait to be carried over."""

    def stop(self, attempts: Collection[Mine]) -> None:
        """End these at their next boundary, also if the wish is taken back meanwhile.

        Otherwise what has not stopped by then would end as if the parts that have were done.
        """
        self.stopping.intersection_update(self.vitals)
        self.stopping.update(attempts)

    def stops(self, run: Run) -> bool:
        """Whether the worker is drained, or the attempt was told to stop."""
        return self.draining.is_set() or (run.id, run.attempt) in self.stopping

    @property
    def known(self) -> frozenset[str]:
        """The workflows that can be done here."""
        return frozenset({workflow.INGEST, *self.workflows})


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One attempt at a run, from its adoption to its end."""

    run: Run
    of_connection: Connection | None
    services: Services
    context: Context
    journal: Journal
    progress: Progress
    thoughts: Thoughts | None = None

    @property
    def reader(self) -> str:
        """Which model reads, by which prompt and profile; "" where none does."""
        return "" if self.thoughts is None else self.thoughts.reader.identity

    @property
    def told(self) -> Mapping[str, Any]:
        """Who reads, for those who watch."""
        return READER if self.thoughts is None else self.thoughts.told

    @property
    def connection(self) -> Connection:
        """What an ingestion is of. Raises ``RunEnded`` if it is gone."""
        if self.of_connection is None:
            raise RunEnded(f"The connection of run {self.run.id} does not exist any more.")
        return self.of_connection

    @property
    def database(self) -> Database:
        return self.services.database

    async def look(self, read: Callable[[Tx], Awaitable[R]]) -> R:
        """What ``read`` finds in the database, which may be away for a while."""
        return await self.journal.look(read)

    def moved(self, activity: str | None = None) -> None:
        if activity is not None:
            self.progress.activity = activity
        self.context.vital.advance()
        self.journal.reporter.moved()

    @property
    def stopping(self) -> bool:
        return self.services.stops(self.run)

    def go_on(self) -> None:
        """Call at every boundary where an attempt may end well. Raises ``HandedOver``."""
        if self.stopping:
            raise HandedOver


_SERVICES: ContextVar[Services] = ContextVar("services")
"""What the worker has open, for the flows it runs in its own process."""


@asynccontextmanager
async def open_services(
    settings: PipelineSettings, storage: StorageSettings
) -> AsyncGenerator[Services]:
    async with AsyncExitStack() as stack:
        stack.enter_context(open_tracing(TracingSettings()))
        database = await stack.enter_async_context(open_database(storage.sql_url()))
        await schema.check(database)
        redis_url = _redis_url(storage)
        redis = await stack.enter_async_context(open_redis(redis_url))
        log = RedisEventLog(redis)
        limits = Limits(processes=settings.processes)
        yield Services(
            settings=settings,
            specs=catalog.specs(),
            workflows=workflow.installed(settings.workflows),
            database=database,
            log=log,
            outputs=OutputLog(RedisEventLog(redis, channel=Channel.OUTPUT)),
            relay=Relay(database, log),
            wakeup=RedisWakeup(redis),
            queries=Queries(redis),
            workshop=await stack.enter_async_context(open_workshop(limits)),
            locksmith=Locksmith.of(OAuthSettings()),
            keyring=cache(storage.keyring),
            thinking=await stack.enter_async_context(
                open_thinking(ModelSettings(), redis_url=redis_url, database=database)
            ),
        )


@asynccontextmanager
async def lend(services: Services) -> AsyncGenerator[None]:
    """Let flows that begin inside the block use these services."""
    token = _SERVICES.set(services)
    try:
        yield
    finally:
        _SERVICES.reset(token)


@asynccontextmanager
async def borrow() -> AsyncGenerator[Services]:
    """The worker's services; a flow that was started elsewhere opens its own."""
    lent = _SERVICES.get(None)
    if lent is not None:
        yield lent
        return
    async with open_services(PipelineSettings(), StorageSettings()) as services:
        yield services


@asynccontextmanager
async def open_work(services: Services, run_id: RunId, attempt: Attempt) -> AsyncGenerator[Work]:
    """Adopt the run and go on from what is committed of it. Raises ``AttemptFenced``."""
    async with services.database.transaction() as tx:
        run = await runs.adopt(tx, run_id, attempt, worker=services.settings.name)
        connection = run.connection and await connections.get(tx, run.tenant, run.connection)
        state = run.newest(await milestones.folded(tx, run_id))
        thoughts = await recall(tx, services.thinking, run, connection or None)
    crashpoints.reached("attempt.adopted")
    work = _work(services, run, connection or None, state, thoughts)
    services.vitals[run.id, run.attempt] = work.context.vital
    reporter = work.journal.reporter
    reporting = asyncio.create_task(reporter.report(), name=f"report-{run_id}")
    try:
        yield work
    finally:
        del services.vitals[run.id, run.attempt]
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
        if not await reporter.finish():
            services.unpublished.add(run_id)


def _work(
    services: Services,
    run: Run,
    connection: Connection | None,
    state: State,
    thoughts: Thoughts | None,
) -> Work:
    kind = Progress if run.workflow == workflow.INGEST else Jobs
    vital = Vital()
    reporter = Reporter(
        run=run.id,
        attempt=run.attempt,
        relay=services.relay,
        log=services.log,
        clock=services.clock,
        progress=kind.resumed(state, run.counts),
        seq=run.seq,
    )
    journal = Journal(
        run=run.id,
        attempt=run.attempt,
        database=services.database,
        reporter=reporter,
        clock=services.clock,
        counts=run.counts,
        queryable=run.first_queryable_at is not None,
        vital=vital,
    )
    return Work(
        run=run,
        of_connection=connection,
        services=services,
        context=_context(services, run, journal, thoughts),
        journal=journal,
        progress=reporter.progress,
        thoughts=thoughts,
    )


def _context(services: Services, run: Run, journal: Journal, thoughts: Thoughts | None) -> Context:
    return Context(
        run=run.id,
        attempt=run.attempt,
        tenant=run.tenant,
        records=RunRecords(
            run=run,
            journal=journal,
            tally=None if thoughts is None else thoughts.tally,
            hands=Hands(stopping=lambda: services.stops(run)),
        ),
        workshop=services.workshop,
        library=SqlLibrary(services.database, run.tenant),
        model=None if thoughts is None else thoughts.model,
        teller=journal.reporter,
        clock=services.clock,
        vital=journal.vital,
    )


def _redis_url(storage: StorageSettings) -> str:
    if storage.redis_url is None:
        raise SetupError(
            "A worker needs Redis, and HEADWATER_REDIS_URL is not set.",
            action="Set HEADWATER_REDIS_URL, or start everything with `headwater up`.",
        )
    return storage.redis_url.get_secret_value()
