"""How a stream is often served: a generator and a blocking XREAD of its own for every listener.

python -m benchmarks.naive_stream [plain|sse-starlette|fastapi]: what makes frames of it.
"""

import os
import sys
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi import sse as fastapi_sse
from fastapi.responses import StreamingResponse
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse, ServerSentEvent

from storage.streams.connect import wait_for_entries

PATH = "/v1/runs/{run_id}/events"


async def entries(
    redis: Redis, run_id: str, request: Request
) -> AsyncGenerator[tuple[str, str, str]]:
    """The seq of each event, its patch, and the name that all of them have."""
    key = f"hw:{{{run_id}}}:events"
    last = f"{request.headers.get('last-event-id', '0')}-0"
    while True:
        news = await wait_for_entries(redis, {key: last}, patience_seconds=15, limit=100)
        for last, fields in news.get(key, ()):
            yield last.partition("-")[0], fields["patch"], "event"


async def plain(redis: Redis, run_id: str, request: Request) -> Response:
    async def frames() -> AsyncGenerator[str]:
        async for seq, patch, name in entries(redis, run_id, request):
            yield f"id: {seq}\nevent: {name}\ndata: {patch}\n\n"

    return StreamingResponse(frames(), media_type="text/event-stream")


async def sse_starlette(redis: Redis, run_id: str, request: Request) -> Response:
    async def frames() -> AsyncGenerator[ServerSentEvent]:
        async for seq, patch, name in entries(redis, run_id, request):
            yield ServerSentEvent(patch, id=seq, event=name)

    return EventSourceResponse(frames())


def create_app(url: str, way: str) -> FastAPI:
    app = FastAPI()
    redis = Redis.from_url(
        url,
        protocol=3,
        legacy_responses=False,
        decode_responses=True,
        socket_timeout=None,
        socket_connect_timeout=None,
        max_connections=10_000,  # one a listener; the default of 100 drops the others
    )
    if way == "fastapi":

        @app.get(PATH, response_class=fastapi_sse.EventSourceResponse)
        async def events(
            run_id: str, request: Request
        ) -> AsyncGenerator[fastapi_sse.ServerSentEvent]:
            async for seq, patch, name in entries(redis, run_id, request):
                yield fastapi_sse.ServerSentEvent(raw_data=patch, id=seq, event=name)

        return app
    answer = {"plain": plain, "sse-starlette": sse_starlette}[way]

    @app.get(PATH)
    async def streamed(run_id: str, request: Request) -> Response:
        return await answer(redis, run_id, request)

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["HEADWATER_REDIS_URL"], *(sys.argv[1:] or ["plain"])),
        port=int(os.environ["HEADWATER_PORT"]),
        log_level="error",
        backlog=2048,
    )
