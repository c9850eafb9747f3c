"""How a stream is often served: a generator and an XREAD of its own for every listener."""

import os
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from redis.asyncio import Redis

from storage.streams.connect import wait_for_entries


def create_app(url: str) -> FastAPI:
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

    @app.get("/v1/runs/{run_id}/events")
    async def events(run_id: str, request: Request) -> StreamingResponse:
        key = f"hw:{{{run_id}}}:events"
        place = request.headers.get("last-event-id", "0")

        async def frames() -> AsyncGenerator[str]:
            last = f"{place}-0"
            while True:
                news = await wait_for_entries(redis, {key: last}, patience_seconds=15, limit=100)
                for last, fields in news.get(key, ()):
                    seq = last.partition("-")[0]
                    yield f"id: {seq}\nevent: event\ndata: {fields['patch']}\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["HEADWATER_REDIS_URL"]),
        port=int(os.environ["HEADWATER_PORT"]),
        log_level="error",
    )
