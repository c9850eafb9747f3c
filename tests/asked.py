"""Runs that tests ask for, take, tell of and look at."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from storage import connections, failures, milestones, runs
from storage.clock import now
from storage.connections import Connection
from storage.database import Database
from storage.events import Event, EventKind
from storage.failures import Failure
from storage.ids import Attempt, RunId
from storage.runs import Run

MINUTE = timedelta(minutes=1)
OVER = -MINUTE  # a lease that has run out already
FIRST = Attempt(1)


def event(kind: EventKind, attempt: int = 1, **patch: object) -> Event:
    return Event(kind=kind, at=now(), attempt=Attempt(attempt), patch=patch)


async def requested(database: Database, connection: Connection) -> tuple[Run, bool]:
    async with database.transaction() as tx:
        return await runs.request(
            tx, connection.tenant, connection=connection, workflow="ingest", input={"deep": True}
        )


async def claimed(
    database: Database, worker: str, lease: timedelta = MINUTE, *, version: str | None = None
) -> list[Run]:
    async with database.transaction() as tx:
        return await runs.claim(tx, worker=worker, lease=lease, limit=10, version=version)


async def recorded(database: Database, run: RunId, *events: Event) -> list[int]:
    async with database.transaction() as tx:
        return [await runs.record(tx, run, each) for each in events]


async def told(database: Database, run: RunId, number: int = 0) -> list[tuple[int, Event]]:
    async with database.reading() as tx:
        return await milestones.after(tx, run, number)


async def kinds(database: Database, run: RunId) -> list[EventKind]:
    return [milestone.kind for _, milestone in await told(database, run)]


async def found(database: Database, run: RunId) -> Run:
    async with database.reading() as tx:
        it = await runs.find(tx, run)
    assert it is not None
    return it


async def connected(database: Database, like: Connection, number: int) -> Connection:
    async with database.transaction() as tx:
        made, _ = await connections.connect(
            tx, like.tenant, owner=like.owner, kind="local", title="", config={"n": number}
        )
    return made


async def failed(database: Database, run: Run, **different: Any) -> None:
    """One artifact of the run's connection fails."""
    assert run.connection is not None
    told_: Mapping[str, Any] = {
        "partition": "files",
        "external_id": "file:broken.py",
        "title": "broken.py",
        "stage": "read",
        "failure": "broken",
        "detail": "It is broken.",
        "action": "Mend it.",
        **different,
    }
    async with database.transaction() as tx:
        await failures.record(tx, run.tenant, run.connection, run.id, [Failure(**told_)])
