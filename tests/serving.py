"""The api on a real port, in the loop of the test; and a run that happens as the test says."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from api.doors import Doors
from api.edge import AT_ONCE
from api.listening import Manner
from api.places import Cursors
from api.quotas import Quotas
from api.server import Server, listen
from api.services import Services, open_services
from connectors.hearing import HintSettings
from storage import connections, runs, tenants
from storage.database import Database
from storage.embedding import StaticEmbedder
from storage.events import Event, EventKind, EventLog
from storage.ids import LOCAL_TENANT, Attempt, RunId, Seq
from storage.relay import Relay
from storage.sealed import new_key
from storage.search import Searcher
from storage.settings import StorageSettings
from storage.streams.memory import MemoryEventLog
from storage.streams.traits import Traits
from storage.wakeup import MemoryWakeup

KEY = b"the key of the tests, of 32 byte"


@dataclass(frozen=True, slots=True)
class Served:
    """``services`` are the very ones that the app uses."""

    url: str
    services: Services
    server: Server


def doors() -> Doors:
    """As on one machine, with a key of the test's own and no app at any provider."""
    return Doors(StorageSettings(secret_keys=SecretStr(new_key())))


def app_over(
    database: Database,
    log: EventLog,
    *,
    manner: Manner | None = None,
    opening: Doors | None = None,
    output_log: EventLog | None = None,
    redis_traits: Callable[[], Awaitable[Traits]] | None = None,
    asks_for_keys: bool = False,
    origins: frozenset[str] = frozenset(),
    quotas: Quotas | None = None,
    at_once: int = AT_ONCE,
    hinting: HintSettings | None = None,
) -> FastAPI:
    return create_app(
        lambda: open_services(
            database=database,
            log=log,
            output_log=output_log or MemoryEventLog(),
            wakeup=MemoryWakeup(),
            searcher=Searcher(StaticEmbedder()),
            cursors=Cursors(KEY),
            doors=replace(opening or doors(), hinting=hinting or HintSettings.model_construct()),
            manner=manner,
            redis_traits=redis_traits,
            asks_for_keys=asks_for_keys,
            quotas=quotas,
        ),
        origins=origins,
        at_once=at_once,
    )


@asynccontextmanager
async def asking(
    database: Database,
    log: EventLog,
    *,
    opening: Doors | None = None,
    asks_for_keys: bool = False,
    origins: frozenset[str] = frozenset(),
    quotas: Quotas | None = None,
    hinting: HintSettings | None = None,
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the app itself, without a socket: for all that is no stream."""
    app = app_over(
        database,
        log,
        opening=opening,
        asks_for_keys=asks_for_keys,
        origins=origins,
        quotas=quotas,
        hinting=hinting,
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            base_url="http://127.0.0.1:8420", transport=httpx.ASGITransport(app)
        ) as client,
    ):
        yield client


@asynccontextmanager
async def serving(
    database: Database,
    log: EventLog,
    *,
    manner: Manner | None = None,
    port: int = 0,
    output_log: EventLog | None = None,
    redis_traits: Callable[[], Awaitable[Traits]] | None = None,
    opening: Doors | None = None,
    asks_for_keys: bool = False,
    quotas: Quotas | None = None,
) -> AsyncGenerator[Served]:
    app = app_over(
        database,
        log,
        manner=manner,
        output_log=output_log,
        redis_traits=redis_traits,
        opening=opening,
        asks_for_keys=asks_for_keys,
        quotas=quotas,
    )
    server = Server(app)
    with listen("127.0.0.1", port) as listener:
        # Not ``serve``: the signals of the test process are not the server's.
        task = asyncio.create_task(server._serve([listener]))  # noqa: SLF001
        while not server.started:
            await asyncio.wait({task}, timeout=0.01)
            assert not task.done(), "the server did not start"
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield Served(address, app.state.services, server)
        finally:
            server.should_exit = True
            await task


@dataclass(slots=True)
class Story:
    """A run, told by the test as a worker would: milestones in SQL first, then in the stream."""

    database: Database
    log: EventLog
    run: RunId
    attempt: Attempt = field(default_factory=lambda: Attempt(0))
    relay: Relay = field(init=False)

    def __post_init__(self) -> None:
        self.relay = Relay(self.database, self.log)

    @classmethod
    async def begin(cls, database: Database, log: EventLog, *, path: str = "/notes") -> "Story":
        async with database.transaction() as tx:
            await tenants.ensure_local(tx)
            connection, _ = await connections.connect(
                tx, LOCAL_TENANT, owner="ada", kind="local", title="Notes", config={"path": path}
            )
            run, _ = await runs.request(
                tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
            )
        story = cls(database, log, run.id)
        await story.relay.publish(run.id)
        return story

    async def start(self) -> None:
        async with self.database.transaction() as tx:
            await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=10)
            run = await runs.find(tx, self.run)
        assert run is not None
        self.attempt = run.attempt
        await self.milestone(EventKind.STARTED, activity="Looking")

    async def milestone(self, kind: EventKind, *, told: bool = True, **patch: Any) -> None:
        """Something that is kept. ``told=False``: the worker died before it could tell Redis."""
        async with self.database.transaction() as tx:
            await runs.record(tx, self.run, self._event(kind, patch))
        if told:
            await self.relay.publish(self.run)

    async def tick(self, **patch: Any) -> Seq:
        return await self.log.append(self.run, self._event(EventKind.PROGRESS, patch))

    async def end(self) -> None:
        await self.milestone(EventKind.SUCCEEDED, activity=None)

    def _event(self, kind: EventKind, patch: Mapping[str, Any]) -> Event:
        return Event(kind=kind, at=datetime.now(UTC), attempt=self.attempt, patch=patch)
