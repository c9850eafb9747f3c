"""What the routes are handed, opened once a process."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from api.callers import Caller
from api.doors import Doors
from api.hearing import Letterbox
from api.hub import Hub
from api.listening import Manner
from api.outputs import OutputPictures
from api.owners import Owners
from api.pictures import Pictures
from api.places import Cursors, keep_key
from api.quotas import Quotas
from api.settings import ApiSettings
from connectors import catalog
from connectors.hearing import HintSettings
from connectors.locksmith import Locksmith
from connectors.oauth.settings import OAuthSettings
from storage.database import Database, open_database
from storage.embedding import StaticEmbedder
from storage.errors import SetupError
from storage.events import EventLog
from storage.ids import TenantId
from storage.outputs import OutputLog
from storage.queries import Queries
from storage.relay import Relay
from storage.search import Searcher
from storage.settings import StorageSettings
from storage.streams.connect import open_redis
from storage.streams.redis import Channel, RedisEventLog
from storage.streams.traits import Traits, traits_of
from storage.wakeup import RedisWakeup, Wakeup

KEY_FILE = ".cursor-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    database: Database
    log: EventLog
    relay: Relay
    wakeup: Wakeup
    searcher: Searcher
    pictures: Pictures
    hub: Hub
    outputs: Hub
    """The same for the runs' output."""

    owners: Owners
    cursors: Cursors
    doors: Doors
    letterbox: Letterbox
    redis_traits: Callable[[], Awaitable[Traits]] | None = None
    data_dir: Path | None = None
    """Where the database is, if it is on this machine."""

    quotas: Quotas
    asks_for_keys: bool = False
    """False: whoever can reach the server may do everything, for only this machine can."""

    def part(self, reason: str) -> None:
        """Say goodbye to all who listen."""
        self.hub.close(reason)
        self.outputs.close(reason)
        self.owners.part()


@asynccontextmanager
async def open_services(
    *,
    database: Database,
    log: EventLog,
    output_log: EventLog,
    wakeup: Wakeup,
    searcher: Searcher,
    cursors: Cursors,
    doors: Doors,
    manner: Manner | None = None,
    redis_traits: Callable[[], Awaitable[Traits]] | None = None,
    data_dir: Path | None = None,
    asks_for_keys: bool = False,
    quotas: Quotas | None = None,
) -> AsyncGenerator[Services]:
    """Everything wired together, with the one reader of each kind of stream running."""
    relay = Relay(database, log)
    pictures = Pictures(database, log, relay)
    hub = Hub(pictures, manner or Manner())
    outputs = Hub(OutputPictures(database, OutputLog(output_log), relay), manner or Manner())
    owners = Owners(database, wakeup, pictures.turn)
    async with _reading(hub, outputs, owners=owners), _looking_up():
        yield Services(
            database=database,
            log=log,
            relay=relay,
            wakeup=wakeup,
            searcher=searcher,
            pictures=pictures,
            hub=hub,
            outputs=outputs,
            owners=owners,
            cursors=cursors,
            doors=doors,
            letterbox=Letterbox(database, doors.hinting, doors.egress),
            redis_traits=redis_traits,
            data_dir=data_dir,
            asks_for_keys=asks_for_keys,
            quotas=quotas or Quotas(),
        )


@asynccontextmanager
async def _reading(*hubs: Hub, owners: Owners) -> AsyncGenerator[None]:
    """Each of them reads its streams as long as this lasts."""
    readers = [asyncio.create_task(each.run(), name="hub") for each in hubs]
    readers.append(asyncio.create_task(owners.run(), name="owners"))
    try:
        yield
    finally:
        for each in hubs:
            each.close("shutdown")
        owners.part()
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
        for each in hubs:
            await each.pictures.close()


@asynccontextmanager
async def _looking_up() -> AsyncGenerator[None]:
    """What can be connected is imported aside, before somebody asks for it.

    It takes a second or two, for which no stream of this process should stand still.
    """
    task = asyncio.create_task(asyncio.to_thread(catalog.specs))
    try:
        yield
    finally:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # a connector that is broken is told of where it is asked for


@asynccontextmanager
async def from_settings(
    settings: StorageSettings, *, oauth: OAuthSettings, api: ApiSettings
) -> AsyncGenerator[Services]:
    """As the environment says. Nothing has to answer yet: ``/readyz`` tells what does not."""
    if settings.redis_url is None:
        raise SetupError(
            "HEADWATER_REDIS_URL is not set.",
            action="Start everything with `headwater up`, or set it to your Redis.",
        )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.sql_url()))
        redis = await stack.enter_async_context(open_redis(settings.redis_url.get_secret_value()))
        services = open_services(
            database=database,
            log=RedisEventLog(redis),
            output_log=RedisEventLog(redis, channel=Channel.OUTPUT),
            wakeup=RedisWakeup(redis),
            searcher=Searcher(StaticEmbedder(), Queries(redis)),
            cursors=Cursors(_key(settings.data_dir.expanduser())),
            doors=Doors(
                settings,
                Locksmith.of(oauth),
                public_url=api.public_url,
                return_origins=api.return_origins,
                egress=api.egress,
                defaults=api.source_defaults,
                hinting=HintSettings(),
            ),
            redis_traits=partial(traits_of, redis),
            data_dir=settings.data_dir if database.dialect == "sqlite" else None,
            asks_for_keys=api.asks_for_keys,
            quotas=Quotas(api.share),
        )
        yield await stack.enter_async_context(services)


def _key(folder: Path) -> bytes:
    try:
        return keep_key(folder / KEY_FILE)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise SetupError(
            f"Data directory {folder} cannot be used: {reason}.",
            action="Set HEADWATER_DATA_DIR to a directory that this user can write to.",
        ) from error


# Asynchronous, though they wait for nothing: others are run in a thread, for each request.
async def _services(request: Request) -> Services:
    """With a database that keeps to the tenant of who asks, where the route needs to know that."""
    services: Services = request.app.state.services
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        return services
    return replace(services, database=services.database.within(caller.tenant))


async def _caller(request: Request) -> Caller:
    """Who asks, as ``api.needs`` found out before: a route that does not need it has nobody."""
    caller: Caller = request.state.caller
    return caller


async def _tenant(request: Request) -> TenantId:
    return (await _caller(request)).tenant


Handed = Annotated[Services, Depends(_services)]
Asking = Annotated[Caller, Depends(_caller)]
Tenant = Annotated[TenantId, Depends(_tenant)]
