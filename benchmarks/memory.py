"""How much memory a worker and its processes take at most, on a source of many files."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sources import connect_local
from storage import embedded, runs
from storage.database import Database, open_database
from storage.ids import LOCAL_TENANT, RunId
from storage.runs import Run
from storage.schema import upgrade


@dataclass(frozen=True, slots=True)
class Memory:
    """The highest resident sizes of the worker and of its children, and how long it took."""

    worker_mb: float
    children_mb: float
    seconds: float
    files: int

    @property
    def total_mb(self) -> float:
        return self.worker_mb + self.children_mb

    def describe(self) -> str:
        return (
            f"{self.worker_mb:.0f} MB and {self.children_mb:.0f} MB in its processes at most, "
            f"{self.files / self.seconds:,.0f} files/s"
        )


def peak_memory(home: Path, files: int, environment: Mapping[str, str]) -> Memory:
    source = home / "source"
    for number in range(files):
        folder = source / f"{number // 500:03}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = (f"Line {line} of file {number} says {number * line}.\n" for line in range(40))
        (folder / f"{number:05}.md").write_text("".join(lines))
    return asyncio.run(_peak(home, source, environment))


def processor_seconds(_: int) -> float:
    """What this process has spent so far; a workshop can be asked for it, too."""
    return time.process_time()


async def _peak(home: Path, source: Path, environment: Mapping[str, str]) -> Memory:
    url = f"sqlite+aiosqlite:///{home / 'headwater.db'}"
    await upgrade(url)
    redis = await embedded.ensure(home / "redis")
    ours = {**environment, "HEADWATER_DATA_DIR": str(home), "HEADWATER_REDIS_URL": redis.url}
    async with open_database(url) as database:
        run_id = await _ask_for(database, source)
        with (home / "worker.log").open("wb") as log:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pipelines.worker"), env=ours, stderr=log
            )
        children: dict[int, float] = {}
        while (run := await _look(database, run_id)).finished_at is None:
            children |= {child: _peak_mb(child) for child in _children(worker.pid)}
            await asyncio.sleep(0.5)
        own = _peak_mb(worker.pid)
        worker.send_signal(signal.SIGTERM)
        await worker.wait()
    await redis.stop()
    if run.started_at is None or not run.counts.processed:
        raise AssertionError(f"the run ended as {run.status}")
    seconds = (run.finished_at - run.started_at).total_seconds()
    return Memory(own, sum(children.values()), seconds, run.counts.processed)


async def _ask_for(database: Database, source: Path) -> RunId:
    async with database.transaction() as tx:
        connection = await connect_local(tx, source)
        run, _ = await runs.request(
            tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
        )
    return run.id


async def _look(database: Database, run_id: RunId) -> Run:
    async with database.reading() as tx:
        run = await runs.find(tx, run_id)
    if run is None:
        raise AssertionError("the run is gone")
    return run


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")] or ["VmHWM: 0 kB"]
    return int(line.split()[1]) / 1024
