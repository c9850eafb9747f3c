"""A mock provider, a Redis and six workers, and what is done to them while they work."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.limits.figures import Figures, figures
from benchmarks.limits.scenarios import Scenario
from storage import embedded
from storage.embedded import EmbeddedRedis

WORKERS = 6
KILLED = 2
READY_SECONDS = 300.0
END_SECONDS = 10.0

Process = asyncio.subprocess.Process


@dataclass(slots=True)
class Rig:
    url: str
    redis: EmbeddedRedis
    folder: Path

    async def run(self, scenario: Scenario, way: str) -> Figures:
        files = [self.folder / f"{scenario.name}-{way}-{n}.json" for n in range(WORKERS)]
        workers = [await self._worker(scenario, way, n, file) for n, file in enumerate(files)]
        async with asyncio.timeout(READY_SECONDS):
            for worker in workers:
                assert worker.stdout  # noqa: S101  # piped
                await worker.stdout.readline()
        await self._control("POST", scenario.plan.model_dump_json())
        for worker in workers:
            _tell(worker, "go\n")
        disturbing = asyncio.create_task(self._disturb(scenario, workers))
        await asyncio.sleep(scenario.seconds)
        account = (await self._control("GET"))["account"]
        await disturbing
        await asyncio.gather(*(_ended(worker) for worker in workers))
        told = [json.loads(file.read_text()) for file in files if file.exists()]
        return figures(scenario, account, told)

    async def _worker(self, scenario: Scenario, way: str, number: int, file: Path) -> Process:
        orders = {
            "way": way,
            "url": self.url,
            "redis": self.redis.url,
            "seconds": scenario.seconds,
            "seed": number,
            "file": str(file),
            "guess": scenario.guess,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.limits.worker",
            json.dumps(orders),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=(self.folder / "workers.log").open("ab"),
        )

    async def _disturb(self, scenario: Scenario, workers: list[Process]) -> None:
        if scenario.kill_workers_at is not None:
            await asyncio.sleep(scenario.kill_workers_at)
            for worker in workers[:KILLED]:
                worker.send_signal(signal.SIGKILL)
        if scenario.redis_gone is not None:
            begin, end = scenario.redis_gone
            await asyncio.sleep(begin)
            assert self.redis.process  # noqa: S101  # ours
            self.redis.process.kill()
            await self.redis.stop()
            await asyncio.sleep(end - begin)
            # what it kept on disk is gone too: the harder case
            shutil.rmtree(Path(self.redis.command[-1]).parent / "appendonlydir")
            await self.redis.start()

    async def _control(self, method: str, plan: str | None = None) -> Any:
        address = self.url.removesuffix("/v1") + "/control"
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.request(method, address, content=plan)
        answer.raise_for_status()
        return answer.json()


@asynccontextmanager
async def open_rig() -> AsyncGenerator[Rig]:
    with tempfile.TemporaryDirectory(prefix="bench-limits-") as name:
        folder = Path(name)
        redis = await embedded.ensure(folder / "data")
        mock = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pipelines.llm.mock",
            stdout=asyncio.subprocess.PIPE,
            stderr=(folder / "mock.log").open("ab"),
        )
        try:
            assert mock.stdout  # noqa: S101  # piped
            url = (await mock.stdout.readline()).decode().strip()
            yield Rig(url, redis, folder)
        finally:
            mock.terminate()
            await mock.wait()
            await redis.stop()


async def _ended(worker: Process) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await worker.wait()
    with suppress(ProcessLookupError):
        worker.kill()
    await worker.wait()


def _tell(worker: Process, line: str) -> None:
    assert worker.stdin  # noqa: S101  # piped
    worker.stdin.write(line.encode())
