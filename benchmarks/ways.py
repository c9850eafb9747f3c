"""The ways of ``benchmarks.overhead``, each run as a program of its own; prints what it measured.

python -m benchmarks.ways WAY DOCUMENTS none|real
"""

import asyncio
import hashlib
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from benchmarks.memory import processor_seconds
from benchmarks.prefect_server import QUIET
from connectors.memory import MemoryConnector, Notes, memory_spec
from pipelines.chunking import Chunk
from pipelines.digest import Digest, Document, digest
from pipelines.embedding import MODEL, embed
from pipelines.flows.attempt import perform
from pipelines.runtime import Services, lend, open_work
from pipelines.settings import PipelineSettings
from pipelines.stages import ready_key, warm
from pipelines.workshop import Limits, Workshop, open_workshop
from storage import artifacts, blobs, chunks, connections, runs, tenants
from storage.artifacts import NewArtifact, Ready
from storage.chunks import NewChunk
from storage.database import Database, open_database
from storage.ids import LOCAL_TENANT, ArtifactId, ConnectionId
from storage.outputs import OutputLog
from storage.relay import Relay
from storage.runs import Run
from storage.schema import upgrade
from storage.streams.memory import MemoryEventLog
from storage.wakeup import MemoryWakeup

AT_ONCE = 64
BATCH = 100
WORDS = ("water", "river", "stream", "bank", "ferry", "bridge", "mill", "weir", "lock", "delta")


class NoWork(Workshop):
    """Answers from what was made before the clock was started."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.digest = digest(Document(b"One chunk of text.", path=None, title="a"))
        self.vector = embed(["One chunk of text."])

    async def run(self, function: Callable[[Any], Any], item: Any) -> Any:
        return self.digest if function is digest else self.vector * len(item)


@dataclass(frozen=True, slots=True)
class Bench:
    services: Services
    run: Run
    connection: ConnectionId
    texts: dict[str, bytes]


Way = Callable[[Bench], Awaitable[None]]


@asynccontextmanager
async def bench(documents: int, workshop: Workshop) -> AsyncGenerator[Bench]:
    texts = _texts(documents)
    with tempfile.TemporaryDirectory(prefix="ways-") as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'headwater.db'}"
        await upgrade(url)
        async with open_database(url) as database:
            log = MemoryEventLog()
            relay = Relay(database, log)
            services = Services(
                settings=PipelineSettings(name="bench"),
                specs={"memory": memory_spec(Notes(texts), _paged)},
                workflows={},
                database=database,
                log=log,
                outputs=OutputLog(MemoryEventLog()),
                relay=relay,
                wakeup=MemoryWakeup(),
                workshop=workshop,
            )
            yield Bench(services, *await _claimed(database, relay), texts)


async def bare(here: Bench) -> None:
    """What somebody writes who needs it once: no guards, no events, no counts, no restart."""
    for part in _parts(here):
        places = asyncio.Semaphore(AT_ONCE)

        async def one(name: str, places: asyncio.Semaphore = places) -> Digest:
            async with places:
                return await _digest(here, name)

        await _write(here, part, await asyncio.gather(*map(one, part)))


async def ours(here: Bench) -> None:
    async with open_work(here.services, here.run.id, here.run.attempt) as work:
        await perform(work)


def in_prefect() -> Mapping[str, Way]:
    # Imported here, and before the clock is started: it takes seconds, which two ways do not need.
    from benchmarks.per_document import per_document, recorded  # noqa: PLC0415
    from pipelines.flows.ingest import ingest  # noqa: PLC0415

    async def flow(here: Bench) -> None:
        async with lend(here.services):
            await ingest(here.run.id, here.run.attempt)

    async def tasks(here: Bench) -> None:
        await per_document(_parts(here), partial(_digest, here), partial(_write, here))

    async def told(here: Bench) -> None:
        made = await per_document(_parts(here), partial(_digest, here), partial(_write, here))
        await recorded(made, len(here.texts))

    return {"flow": flow, "tasks": tasks, "recorded": told}


async def main(way: str, documents: int, work: str) -> None:
    async with open_workshop() as real:
        do = {"bare": bare, "ours": ours}.get(way) or in_prefect()[way]
        workshop = real if work == "real" else NoWork()
        await warm(workshop)
        async with bench(documents, workshop) as here:
            cpu, begun = await _cpu(real, work), time.perf_counter()
            await do(here)
            seconds = time.perf_counter() - begun
            cpu = await _cpu(real, work) - cpu
            await _insist(here)
    print(json.dumps({"documents": documents, "seconds": seconds, "cpu_seconds": cpu}))


async def _digest(here: Bench, name: str) -> Digest:
    document = Document(here.texts[name], path=None, title=name)
    return await here.services.workshop.run(digest, document)


async def _write(here: Bench, names: Sequence[str], digests: Sequence[Digest]) -> None:
    services, connection = here.services, here.connection
    texts = [f"{chunk.header}\n{chunk.text}" for each in digests for chunk in each.chunks]
    vectors = iter(await services.workshop.run(embed, texts))
    bodies = {hashlib.sha256(here.texts[name]).hexdigest(): here.texts[name] for name in names}
    keys = dict(zip(names, bodies, strict=True))
    async with services.database.transaction() as tx:
        await blobs.put(tx, LOCAL_TENANT, bodies)
        staged = [_new(name, keys[name]) for name in names]
        await artifacts.stage(tx, LOCAL_TENANT, connection, here.run.id, staged)
        known = await artifacts.known(tx, connection, names)
        new = {
            known[name].id: [
                _chunk(known[name].id, number, chunk, next(vectors))
                for number, chunk in enumerate(each.chunks)
            ]
            for name, each in zip(names, digests, strict=True)
        }
        await chunks.replace(tx, LOCAL_TENANT, connection, new, model=MODEL)
        ready = [
            Ready(
                id=known[name].id,
                digest=keys[name],
                ready_key=ready_key(keys[name]),
                title=name,
                reading=asdict(each.reading),
            )
            for name, each in zip(names, digests, strict=True)
        ]
        await artifacts.ready(tx, here.run.id, ready)


def _new(name: str, key: str) -> NewArtifact:
    return NewArtifact(
        partition="notes",
        external_id=name,
        kind="note",
        title=name,
        path=None,
        url=None,
        mime=None,
        size=None,
        version=key,
        digest=key,
        priority=2,
        meta={},
        created_at=None,
        updated_at=None,
    )


def _chunk(artifact: ArtifactId, number: int, chunk: Chunk, vector: bytes | None) -> NewChunk:
    return NewChunk(
        artifact=artifact,
        ordinal=number,
        start_byte=chunk.start_byte,
        end_byte=chunk.end_byte,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        symbol=chunk.symbol or "",
        header=chunk.header,
        text=chunk.text,
        tokens=chunk.tokens,
        digest=hashlib.sha256(f"{chunk.header}\n{chunk.text}".encode()).hexdigest(),
        vector=vector,
    )


def _parts(here: Bench) -> list[list[str]]:
    names = list(here.texts)
    return [names[start : start + BATCH] for start in range(0, len(names), BATCH)]


def _paged(source: Notes) -> MemoryConnector:
    return MemoryConnector(source, page=BATCH)


def _texts(documents: int) -> dict[str, bytes]:
    """About two kilobytes of words each, no two alike."""
    chance = random.Random(7)
    return {
        f"note {number:06}": " ".join(chance.choices(WORDS, k=380)).encode()
        for number in range(documents)
    }


async def _claimed(database: Database, relay: Relay) -> tuple[Run, ConnectionId]:
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        connection, _ = await connections.connect(
            tx, LOCAL_TENANT, owner="bench", kind="memory", title="Notes", config={}
        )
        run, _ = await runs.request(
            tx, LOCAL_TENANT, connection=connection, workflow="ingest", input={}
        )
    await relay.publish(run.id)
    async with database.transaction() as tx:
        [run] = await runs.claim(tx, worker="bench", lease=timedelta(hours=1), limit=1)
    return run, connection.id


async def _cpu(workshop: Workshop, work: str) -> float:
    """Seconds of processor time so far: this process's, and the workshop's if it has worked."""
    return time.process_time() + (await workshop.run(processor_seconds, 0) if work == "real" else 0)


async def _insist(here: Bench) -> None:
    async with here.services.database.reading() as tx:
        made = await artifacts.searchable(tx, here.connection)
    if made != len(here.texts):
        raise AssertionError(f"{made} of {len(here.texts)} documents were made searchable")


if __name__ == "__main__":
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
