"""A browser that follows a run."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.serving import Story
from tests.sse import Told, told

SSE = {"Accept": "text/event-stream"}


@asynccontextmanager
async def following(
    client: httpx.AsyncClient, story: Story, *, cursor: str | None = None
) -> AsyncGenerator[AsyncIterator[Told]]:
    headers = SSE if cursor is None else {**SSE, "Last-Event-ID": cursor}
    async with client.stream("GET", f"/v1/runs/{story.run}/events", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield told(response)


async def take(frames: AsyncIterator[Told], count: int) -> list[Told]:
    return [await anext(frames) for _ in range(count)]


async def ids(frames: AsyncIterator[Told], count: int) -> list[str | None]:
    return [frame.id for frame in await take(frames, count)]
