"""One of the six processes: it calls as its tenants want, and writes down what became of it.

It says ``ready``, waits for a line on stdin, and works for as many seconds as it was told.
"""

import asyncio
import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai

from benchmarks.limits.scenarios import Demand
from benchmarks.limits.ways import Job, Way, make_job, open_way
from storage.limits.values import Urgency

LETTING_GO_SECONDS = 3.0
"""There are limiters that pass over a cancellation, and would go on for ever."""

LOST_PAUSE_SECONDS = 1.0  # an application that has lost a call does not storm on


@dataclass(slots=True)
class Worker:
    way: Way
    chance: random.Random
    file: Path
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def work(self, seconds: float) -> None:
        demand = Demand()
        began = time.monotonic()
        callers = [tenant for tenant, at_once in demand.tenants.items() for _ in range(at_once)]
        calling = set[asyncio.Task[Any]]()
        calling |= {asyncio.create_task(self._again_and_again(each, began)) for each in callers}
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(self.chance.expovariate(demand.interactive_a_second))
                    user = self._call("user", Urgency.INTERACTIVE, began)
                    calling.add(asyncio.create_task(user))
        for task in calling:
            task.cancel()
        await asyncio.wait(calling, timeout=LETTING_GO_SECONDS)

    async def _again_and_again(self, tenant: str, began: float) -> None:
        while True:
            if not await self._call(tenant, Urgency.SCHEDULED, began):
                await asyncio.sleep(LOST_PAUSE_SECONDS)

    async def _call(self, tenant: str, urgency: Urgency, began: float) -> bool:
        job: Job = make_job(tenant, urgency, self.chance)
        lost = ""
        try:
            await self.way.call(job)
        except openai.OpenAIError as error:
            lost = type(error).__name__
        self.calls.append(
            {
                "tenant": tenant,
                "urgency": urgency.value,
                "at": time.monotonic() - began,
                "waited": job.sent_at - job.asked_at,
                "lost": lost,
            }
        )
        return not lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """``guess`` is the limit as a multiple of the real one, where it is unknown."""

    way: str
    url: str
    redis: str
    seconds: float
    seed: int
    file: str
    guess: float | None


async def main(orders: Orders) -> None:
    way = open_way(orders.way, url=orders.url, redis=orders.redis, guess=orders.guess)
    async with way as open_one:
        worker = Worker(open_one, random.Random(orders.seed), Path(orders.file))
        print("ready", flush=True)
        before = time.process_time()
        await asyncio.to_thread(sys.stdin.readline)
        await worker.work(orders.seconds)
        cpu = time.process_time() - before
        worker.file.write_text(json.dumps({"calls": worker.calls, "cpu_seconds": cpu}))


if __name__ == "__main__":
    asyncio.run(main(Orders(**json.loads(sys.argv[1]))))
