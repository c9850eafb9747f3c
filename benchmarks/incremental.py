"""A git repository is ingested, a hundredth of it is changed, and it is ingested again; and again.

The second run should cost what changed, and a later one nothing. Both are told beside the first:
what was processed, what was asked of a model (the mock provider counts it itself) and how long it
took. With a model fewer files tell enough.

    python -m benchmarks.incremental [files]
"""

import asyncio
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import structlog

from benchmarks.memory import processor_seconds
from benchmarks.sources import connect_local
from connectors import catalog
from pipelines.flows.attempt import perform
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import Thinking, open_thinking
from pipelines.runtime import Services, open_work
from pipelines.settings import PipelineSettings
from pipelines.stages import warm
from pipelines.workshop import open_workshop
from storage import embedded, runs
from storage.connections import Connection
from storage.counts import Counts
from storage.database import open_database
from storage.ids import LOCAL_TENANT
from storage.outputs import OutputLog
from storage.relay import Relay
from storage.schema import upgrade
from storage.streams.memory import MemoryEventLog
from storage.wakeup import MemoryWakeup

FILES = 10_000
FEWER = 10
CHANGED = 100  # one in so many
WORDS = ("second", "third", "fourth")  # of runs that take a second or two, the median is told
MOST_PROCESSING, MOST_TIME = 0.02, 0.05
# It would else tidy up by itself, in the background of the next run.
GIT = ("git", "-c", "gc.auto=0", "-c", "user.name=Bench", "-c", "user.email=bench@example.org")
PLAN = {
    "first_token_seconds": 0,
    "token_seconds": 0,
    "limits": {"requests": 10_000_000, "tokens": 10_000_000_000},
}


@dataclass(frozen=True, slots=True)
class Ran:
    counts: Counts
    seconds: float
    cpu_seconds: float
    calls: int


@dataclass(frozen=True, slots=True)
class Mock:
    url: str

    async def answers(self) -> int:
        control = self.url.removesuffix("/v1") + "/control"
        async with httpx.AsyncClient(trust_env=False) as client:
            return int((await client.get(control)).json()["account"]["answers"])

    async def hurry(self) -> None:
        control = self.url.removesuffix("/v1") + "/control"
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.post(control, json=PLAN)).raise_for_status()


async def main(files: int = FILES) -> int:
    plain = await _three(files, None)
    in_time = plain[1].seconds <= MOST_TIME * plain[0].seconds
    frugal = _tell(f"{files:,} files", plain)
    with _provider() as mock:
        await mock.hurry()
        read = await _three(files // FEWER, mock)
    frugal &= _tell(f"{files // FEWER:,} files, read by a model", read)
    print(
        f"targets: {MOST_PROCESSING:.0%} of the processing, {MOST_TIME:.0%} of the time, no calls"
    )
    return 0 if in_time and frugal else 1


async def _three(files: int, mock: Mock | None) -> Sequence[Ran]:
    with tempfile.TemporaryDirectory(prefix="incremental-") as name:
        source = Path(name) / "source"
        _write(source, range(files), "first")
        _commit(source)
        async with _open(Path(name), mock) as services:
            connection = await _connect(services, source)
            first = await _run(services, connection, mock)
            later: list[Ran] = []
            for word in WORDS:
                _write(source, range(0, files, CHANGED), word)
                _commit(source)
                later.append(await _run(services, connection, mock))
            none = [await _run(services, connection, mock) for _ in WORDS]
            return [first, _median(later), _median(none)]


def _median(ran: Sequence[Ran]) -> Ran:
    return sorted(ran, key=lambda each: each.seconds)[len(ran) // 2]


@asynccontextmanager
async def _open(home: Path, mock: Mock | None) -> AsyncGenerator[Services]:
    url = f"sqlite+aiosqlite:///{home / 'headwater.db'}"
    await upgrade(url)
    async with AsyncExitStack() as stack:
        workshop = await stack.enter_async_context(open_workshop())
        await warm(workshop)
        database = await stack.enter_async_context(open_database(url))
        thinking = None
        if mock is not None:
            redis = await embedded.ensure(home)
            stack.push_async_callback(redis.stop)
            thinking = await stack.enter_async_context(_thinking(mock, redis.url))
        log = MemoryEventLog()
        yield Services(
            settings=PipelineSettings(name="bench"),
            specs=catalog.specs(),
            workflows={},
            database=database,
            log=log,
            outputs=OutputLog(MemoryEventLog()),
            relay=Relay(database, log),
            wakeup=MemoryWakeup(),
            workshop=workshop,
            thinking=thinking,
        )


@asynccontextmanager
async def _thinking(mock: Mock, redis_url: str) -> AsyncGenerator[Thinking | None]:
    settings = ModelSettings.model_validate(
        {"key": "any", "base_url": mock.url, "model": "mock-small", "concurrency": 16}
    )
    async with open_thinking(settings, redis_url=redis_url) as thinking:
        yield thinking


@contextmanager
def _provider() -> Iterator[Mock]:
    command = [sys.executable, "-m", "pipelines.llm.mock", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline().strip() if process.stdout else ""
        try:
            yield Mock(said)
        finally:
            process.terminate()


async def _connect(services: Services, source: Path) -> Connection:
    async with services.database.transaction() as tx:
        return await connect_local(tx, source)


async def _run(services: Services, connection: Connection, mock: Mock | None) -> Ran:
    async with services.database.transaction() as tx:
        asked, _ = await runs.request(
            tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
        )
    await services.relay.publish(asked.id)
    async with services.database.transaction() as tx:
        [run] = await runs.claim(tx, worker="bench", lease=timedelta(hours=1), limit=1)
    calls, cpu = await mock.answers() if mock else 0, await _cpu(services)
    begun = time.perf_counter()
    async with open_work(services, run.id, run.attempt) as work:
        await perform(work)
    seconds, cpu = time.perf_counter() - begun, await _cpu(services) - cpu
    async with services.database.reading() as tx:
        over = await runs.find(tx, run.id)
    if over is None or over.finished_at is None or over.counts.failed:
        raise AssertionError(f"the run did not end well: {over}")
    return Ran(over.counts, seconds, cpu, (await mock.answers() if mock else 0) - calls)


async def _cpu(services: Services) -> float:
    """Seconds of processor time so far: this process's and the workshop's."""
    return time.process_time() + await services.workshop.run(processor_seconds, 0)


def _tell(title: str, told: Sequence[Ran]) -> bool:
    """Print them side by side. Whether the later ones processed no more than they may."""
    first, second, third = told
    print(f"\n{title:<34}{'first':>10}{'1 % new':>10}{'ratio':>9}{'none new':>10}{'ratio':>9}")
    for name, values in _rows(told).items():
        one, two, three = values
        print(
            f"{name:<34}{one:>10,.4g}{two:>10,.4g}{_ratio(two, one):>9}"
            f"{three:>10,.4g}{_ratio(three, one):>9}",
            flush=True,
        )
    few = all(
        getattr(second.counts, name) <= MOST_PROCESSING * getattr(first.counts, name)
        for name in ("processed", "chunks", "embedded", "bytes")
    )
    return few and not third.counts.processed and not third.calls + third.counts.model_calls


def _rows(told: Sequence[Ran]) -> dict[str, list[float]]:
    counted = ("processed", "unchanged", "chunks", "embedded", "bytes")
    rows: dict[str, list[float]] = {
        name: [getattr(each.counts, name) for each in told] for name in counted
    }
    rows["answers of a model"] = [each.calls for each in told]
    rows["CPU seconds"] = [each.cpu_seconds for each in told]
    rows["seconds"] = [each.seconds for each in told]
    return rows


def _ratio(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else ""


def _write(source: Path, numbers: Sequence[int], word: str) -> None:
    """About two kilobytes each."""
    for number in numbers:
        folder = source / f"{number // 500:03}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = (f"Line {line} of file {number} says {number * line}.\n" for line in range(60))
        (folder / f"{number:05}.md").write_text(f"# The {word} of {number}\n\n" + "".join(lines))


def _commit(source: Path) -> None:
    # Packed, as what is cloned or fetched is: git opens a file for each object that is loose.
    for arguments in (
        ("init", "-q"),
        ("add", "-A"),
        ("commit", "-q", "-m", "Change"),
        ("gc", "-q"),
    ):
        subprocess.run([*GIT, *arguments], cwd=source, check=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.exit(asyncio.run(main(*map(int, sys.argv[1:2]))))
