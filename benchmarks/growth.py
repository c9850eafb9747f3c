"""What a run leaves behind, in each part of a whole stack, and what of that is left when it is old.

A folder is ingested, then again and again: with nothing changed, and with one file changed. Of the
databases only what is in use counts, not pages that are free. At the end the steps of all runs are
dropped as if they were ninety days old; Redis' keys expire by themselves, and Prefect's rows go by
its own vacuum, both after seven days.

    python -m benchmarks.growth [runs]
"""

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
from redis.asyncio import Redis

from benchmarks.live import process
from pipelines.upkeep import Upkeep
from storage import embedded
from storage.database import open_database
from storage.streams.connect import open_redis

RUNS, FILES = 40, 200
MOST = {"headwater": 16_000, "prefect": 200_000, "redis": 16_000}
"""Bytes that a run in which nothing changed may leave."""


@dataclass(frozen=True, slots=True)
class Stack:
    web: httpx.AsyncClient
    redis: Redis
    home: Path
    source: Path

    async def connect(self) -> str:
        wanted = {"kind": "local", "config": {"path": str(self.source)}}
        return str((await self.web.post("/v1/connections", json=wanted)).json()["id"])

    async def run(self, connection: str) -> None:
        answer = await self.web.post(f"/v1/connections/{connection}/runs")
        run = answer.raise_for_status().json()["run"]["id"]
        told = {"accept": "application/x-ndjson"}
        async with self.web.stream("GET", f"/v1/runs/{run}/events", headers=told) as events:
            async for _ in events.aiter_lines():
                pass  # it ends with the run

    async def sizes(self) -> Mapping[str, int]:
        """Bytes in use; of Redis without what it needs to be there."""
        memory = await self.redis.info("memory")
        (prefect,) = (self.home / "prefect").glob("*.db")
        return {
            "headwater": used(self.home / "headwater.db"),
            "prefect": used(prefect),
            "redis": int(memory["used_memory_dataset"]),
        }


def used(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        pages, free, size = (
            opened.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


async def main(count: int = RUNS) -> int:
    async with _stack() as stack:
        connection = await stack.connect()
        for _ in range(3):
            await stack.run(connection)
        unchanged = await _grown(stack, connection, count, change=False)
        changed = await _grown(stack, connection, count, change=True)
        before = await stack.sizes()
        await _make_old(stack.home)
        after = await stack.sizes()
    left = {"headwater": (before["headwater"] - after["headwater"]) / (2 * count)}
    print(
        f"{'bytes a run':<14}{'nothing changed':>18}{'one file changed':>18}{'gone when old':>16}"
    )
    for part in MOST:
        gone = f"{left[part]:,.0f}" if part in left else "all"
        print(f"{part:<14}{unchanged[part]:>18,.0f}{changed[part]:>18,.0f}{gone:>18}")
    checks = {
        f"a run leaves at most {most:,} bytes in {part}": unchanged[part] <= most
        for part, most in MOST.items()
    }
    for promise, kept in checks.items():
        print(f"{'met   ' if kept else 'MISSED'}  {promise}")
    return 0 if all(checks.values()) else 1


async def _grown(stack: Stack, connection: str, count: int, *, change: bool) -> Mapping[str, float]:
    before = await stack.sizes()
    for number in range(count):
        if change:
            (stack.source / "changing.md").write_text(f"# Changed\n\nFor the time {number}.\n")
        await stack.run(connection)
    after = await stack.sizes()
    return {part: (after[part] - before[part]) / count for part in after}


async def _make_old(home: Path) -> None:
    """What upkeep drops after ninety days."""
    async with open_database(f"sqlite+aiosqlite:///{home}/headwater.db") as database:
        await Upkeep(database, grace=timedelta(0), keep=timedelta(0)).once()


@asynccontextmanager
async def _stack() -> AsyncGenerator[Stack]:
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        home, source = Path(name) / "home", Path(name) / "source"
        source.mkdir()
        home.mkdir()
        for number in range(FILES):
            (source / f"{number}.md").write_text(f"# File {number}\n\nIt says {number}.\n")
        server = await embedded.ensure(Path(name))
        environment = {
            **os.environ,
            "HEADWATER_DATA_DIR": str(home),
            "HEADWATER_REDIS_URL": server.url,
        }
        try:
            async with (
                open_redis(server.url) as redis,
                process(("-m", "api.cli", "up"), environment) as (port, _),
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as web,
            ):
                yield Stack(web, redis, home, source)
        finally:
            await server.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*map(int, sys.argv[1:2]))))
