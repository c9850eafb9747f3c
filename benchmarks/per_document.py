"""A Prefect task a document: the obvious way to put a pipeline into Prefect.

The client tells the server of its tasks in the background, faster than the server can take it in.
So there are two ends: when the documents are done, and when the server knows it.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import httpx
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

AT_ONCE = 64
R = TypeVar("R")


async def per_document(
    parts: Sequence[Sequence[str]],
    work: Callable[[str], Awaitable[R]],
    write: Callable[[Sequence[str], Sequence[R]], Awaitable[None]],
) -> str:
    """Work on every document in a task, and write each part in one. Answers the flow run's id."""

    @task(cache_policy=NO_CACHE, retries=0, persist_result=False)
    async def one(name: str) -> R:
        return await work(name)

    @flow(retries=0, persist_result=False)
    async def every() -> str:
        for part in parts:
            places = asyncio.Semaphore(AT_ONCE)

            async def placed(name: str, places: asyncio.Semaphore = places) -> R:
                async with places:
                    return await one(name)

            await write(part, await asyncio.gather(*map(placed, part)))
        return str(flow_run.id)

    return await every()


async def recorded(flow_run_id: str, number: int) -> None:
    """Wait until the server has the last state of that many tasks."""
    which = {
        "flow_runs": {"id": {"any_": [flow_run_id]}},
        "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    async with httpx.AsyncClient(base_url=os.environ["PREFECT_API_URL"], trust_env=False) as http:
        known = 0
        while known < number:
            await asyncio.sleep(0.2)
            known = int((await http.post("/task_runs/count", json=which, timeout=60)).json())
