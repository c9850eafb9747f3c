"""The database: SQLite by default, PostgreSQL in production.

Whoever opens a transaction commits it by leaving the block; stores never do. Whatever the reason
that a server does not do its work, the caller sees ``DatabaseUnavailable``, whose message names the
place and never the password.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Thread
from typing import Any, Literal, cast
from weakref import WeakSet

import aiosqlite
from sqlalchemy import URL, AdaptedConnection, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.columns import storable
from storage.errors import DatabaseUnavailable
from storage.ids import TenantId
from storage.outages import explain, unavailable

Tx = AsyncConnection
Dialect = Literal["sqlite", "postgresql"]
TENANT = "headwater.tenant"
"""The setting of a session of PostgreSQL that says whose rows it may see: ``storage.fences``."""

FROZEN_MILLISECONDS = 10_000
"""Longer than an honest pause in a transaction, shorter than a run may wait for a worker."""

LONGEST_MILLISECONDS = 20_000
"""Longer than an honest transaction. A process that is frozen in the middle of a statement, of
which the server has heard half, is neither idle nor slow to PostgreSQL; only this ends it."""

BUSY_TIMEOUT_MS = 15_000  # how long a writer waits for another process's write
RETRY_SECONDS = 0.02
WRITER_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",  # first: the next ones may have to wait
    "PRAGMA auto_vacuum=INCREMENTAL",  # only of a new file, and only before its first page
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit we have told of survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what was erased is not in the file either
    "PRAGMA cache_size=-16384",
    "PRAGMA journal_size_limit=67108864",
)
READER_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-16384",
    "PRAGMA query_only=ON",
)
CLOSE_SECONDS = 5.0


@asynccontextmanager
async def open_database(url: str) -> AsyncGenerator["Database"]:
    """Open pools of connections. Nothing is connected before the first transaction."""
    made = make_url(url)
    database = _sqlite(made) if made.get_backend_name() == "sqlite" else _postgresql(made)
    try:
        yield database
    finally:
        await database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    dialect: Dialect
    url: str = field(repr=False)
    """It bears the password: do not show it."""

    place: str
    writer: AsyncEngine
    reader: AsyncEngine
    threads: WeakSet[Thread]
    """Each connection to SQLite has one. Others have none."""

    tenant: TenantId | None = None
    """Whose rows its transactions can reach; None: everybody's, as the work itself needs it."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        """A transaction that may write, committed on leaving. On SQLite one at a time."""
        async with _connected(self.writer, self.place) as connection, connection.begin():
            await self._fence(connection)
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Tx]:
        """A transaction that sees one instant and cannot write."""
        async with _connected(self.reader, self.place) as connection, connection.begin():
            await self._fence(connection)
            yield connection

    def within(self, tenant: TenantId | None) -> "Database":
        """The same database, where PostgreSQL itself keeps to one tenant's rows."""
        return replace(self, tenant=tenant)

    async def _fence(self, tx: Tx) -> None:
        if self.tenant is not None and self.dialect == "postgresql":
            said = {"name": TENANT, "tenant": str(self.tenant)}
            await tx.execute(text("SELECT set_config(:name, :tenant, true)"), said)

    @asynccontextmanager
    async def again(self) -> AsyncGenerator["Database"]:
        """The same database with connections of its own, for another thread's loop."""
        async with open_database(self.url) as database:
            yield database.within(self.tenant)

    async def close(self) -> None:
        await self.writer.dispose()
        await self.reader.dispose()
        # One whose work was broken off is on its way out, and posts to this loop at its end.
        end = time.monotonic() + CLOSE_SECONDS
        for thread in list(self.threads):
            await asyncio.to_thread(thread.join, max(0.0, end - time.monotonic()))


@asynccontextmanager
async def _connected(engine: AsyncEngine, place: str) -> AsyncGenerator[Tx]:
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except PoolTimeout as error:
            message = f"All connections to the database at {place} are in use."
            raise DatabaseUnavailable(message, action="Nothing to do: try again.") from error
        except OSError as error:  # asyncpg leaves a socket's error as it is
            raise unavailable(place, error) from error
        yield connection


def _sqlite(url: URL) -> Database:
    # One writing connection a process: writers queue here in order, instead of polling a lock.
    threads = WeakSet[Thread]()
    connect = partial(_connect, url, threads)
    writer = _engine(url, async_creator=connect, pool_size=1, max_overflow=0, pool_timeout=30)
    reader = _engine(url, async_creator=connect, pool_size=8, max_overflow=8, pool_timeout=10)
    for engine, begin, pragmas in (
        (writer, "BEGIN IMMEDIATE", WRITER_PRAGMAS),
        (reader, "BEGIN", READER_PRAGMAS),
    ):
        event.listen(engine.sync_engine, "connect", partial(_prepare, pragmas))
        event.listen(engine.sync_engine, "begin", partial(_begin, begin))
    return Database(
        dialect="sqlite",
        url=_whole(url),
        place=_place(url),
        writer=writer,
        reader=reader,
        threads=threads,
    )


class _Connection(aiosqlite.Connection):
    """One whose thread is known to whoever must wait for it."""

    def __init__(
        self, connector: Callable[[], sqlite3.Connection], threads: WeakSet[Thread]
    ) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True
        threads.add(self._thread)


async def _connect(url: URL, threads: WeakSet[Thread]) -> aiosqlite.Connection:
    arguments, options = url.get_dialect()().create_connect_args(url)
    return await _Connection(partial(sqlite3.connect, *arguments, **options), threads)


def _postgresql(url: URL) -> Database:
    engine = _engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "timeout": 5,
            "command_timeout": 60,
            "server_settings": {
                "application_name": "headwater",
                TENANT: "*",  # until a transaction says otherwise
                # A process that is frozen in a transaction must not keep others off its rows.
                "idle_in_transaction_session_timeout": str(FROZEN_MILLISECONDS),
            },
        },
    )
    event.listen(engine.sync_engine, "connect", _bound)
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(
        dialect="postgresql",
        url=_whole(url),
        place=_place(url),
        writer=engine,
        reader=reader,
        threads=WeakSet[Thread](),
    )


def _bound(connection: DBAPIConnection, _record: object) -> None:
    """Bound its transactions, where the server knows how: PostgreSQL does from version 17."""
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT set_config('transaction_timeout', '{LONGEST_MILLISECONDS}', false) "
        "WHERE current_setting('transaction_timeout', true) IS NOT NULL"
    )
    cursor.close()
    connection.commit()


def _engine(url: URL, **options: Any) -> AsyncEngine:
    # hide_parameters: an error of the driver must not carry a user's content into a log.
    engine = create_async_engine(url, hide_parameters=True, json_serializer=_json, **options)
    event.listen(engine.sync_engine, "handle_error", partial(explain, _place(url)))
    return engine


def _prepare(pragmas: tuple[str, ...], connection: DBAPIConnection, _record: object) -> None:
    # Python's sqlite3 would begin transactions by itself, late and deferred: switch that off.
    connection.isolation_level = None
    cast("AdaptedConnection", connection).run_async(partial(_set_up, pragmas))


async def _set_up(pragmas: tuple[str, ...], connection: aiosqlite.Connection) -> None:
    for pragma in pragmas:
        await _insist(connection, pragma)


async def _insist(connection: aiosqlite.Connection, pragma: str) -> None:
    """Wait here for another process, too, that turns the journal of a new file into a log.

    SQLite asks no busy handler where a lock that is held is upgraded, as that is, for two that wait
    for one another would wait for ever: https://sqlite.org/c3ref/busy_handler.html
    """
    end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            return await (await connection.execute(pragma)).close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        await asyncio.sleep(RETRY_SECONDS)


def _begin(statement: str, connection: Connection) -> None:
    connection.exec_driver_sql(statement)


def _whole(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}:{url.port or 5432}/{url.database}"


def _json(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    if "\\u0000" not in text and "\\ud" not in text:
        return text
    return json.dumps(_storable(value), separators=(",", ":"), allow_nan=False)


def _storable(value: object) -> object:
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(str(key)): _storable(each) for key, each in value.items()}
        case list() | tuple():
            return [_storable(each) for each in value]
        case _:
            return value
