"""A real worker process, and what a test asks the database about it."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage import connections, milestones, runs, tenants
from storage.database import Database
from storage.events import EventKind
from storage.ids import LOCAL_TENANT, RunId
from storage.runs import Run
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Worker:
    process: "subprocess.Popen[bytes]"
    log: Path

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def says(self, word: str) -> bool:
        return word in self.log.read_text()


@contextmanager
def working(log: Path, environment: Mapping[str, str]) -> Generator[Worker]:
    """``python -m pipelines.worker``, killed on leaving if it still runs."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.worker"],
            env={**os.environ, **environment},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Worker(process, log)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)


async def ask_for(database: Database, path: Path) -> RunId:
    """Ask for an ingestion, as the api does."""
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        connection, _ = await connections.connect(
            tx,
            LOCAL_TENANT,
            owner="someone",
            kind="local",
            title=path.name,
            config={"path": str(path)},
        )
        run, _ = await runs.request(
            tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
        )
    return run.id


async def look(database: Database, run_id: RunId) -> Run:
    async with database.reading() as tx:
        run = await runs.find(tx, run_id)
    assert run is not None
    return run


async def kinds(database: Database, run_id: RunId) -> list[EventKind]:
    async with database.reading() as tx:
        return [event.kind for _, event in await milestones.after(tx, run_id, 0)]


async def processed(database: Database, run_id: RunId, number: int) -> None:
    """Wait until that many artifacts are searchable."""

    async def enough() -> bool:
        return (await look(database, run_id)).counts.processed >= number

    await wait_until(enough, within_seconds=90)


async def finished(database: Database, run_id: RunId) -> Run:
    async def over() -> bool:
        return (await look(database, run_id)).finished_at is not None

    await wait_until(over, within_seconds=120)
    return await look(database, run_id)
