"""The example, added by a setting to a real stack, in its three ways of being asked, and killed."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
from redis.asyncio import Redis

from storage.database import Database
from storage.ids import RunId
from storage.streams.redis import Channel, RedisEventLog
from tests.integration.api.following import SSE
from tests.marks import on_sqlite
from tests.serving import serving
from tests.sites import Site
from tests.sse import told
from tests.waiting import wait_until
from tests.working import look

pytestmark = [
    pytest.mark.timeout(240),
    on_sqlite,
]

MANY = 40
GIVEN_AT_ONCE = 20
AT_ONCE = 8
LINKS = {
    "HEADWATER_WORKFLOWS": "examples.links",
    "HEADWATER_WORKER_EGRESS_NETWORKS": "127.0.0.0/8",
}


@dataclass(slots=True)
class Web:
    """Pages on loopback: ``/gone/…`` is not there. After so many it answers when it is told to."""

    port: int = 0
    asked: Counter[str] = field(default_factory=Counter[str])
    answered: Counter[str] = field(default_factory=Counter[str])
    gives: int = MANY
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked[path] += 1
            if sum(self.answered.values()) >= self.gives:
                await self.free.wait()
            self.answered[path] += 1
            status = "404 Not Found" if path.startswith("/gone/") else "200 OK"
            head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked was killed
        finally:
            writer.close()


@pytest.fixture
async def web() -> AsyncGenerator[Web]:
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    yield web
    web.free.set()
    server.close()


@pytest.fixture
async def client(database: Database, redis: Redis) -> AsyncGenerator[httpx.AsyncClient]:
    output = RedisEventLog(redis, channel=Channel.OUTPUT)
    async with (
        serving(database, RedisEventLog(redis), output_log=output) as served,
        httpx.AsyncClient(base_url=served.url, timeout=120, trust_env=False) as client,
    ):
        yield client


async def test_links_are_checked_though_a_worker_is_killed_and_no_link_is_asked_twice(
    client: httpx.AsyncClient,
    web: Web,
    site: Site,
) -> None:
    urls = [web.url(f"/{'gone' if at % 10 == 0 else 'page'}/{at}") for at in range(MANY)]
    gone = sorted(url for url in urls if "/gone/" in url)
    with site.worker("first", **LINKS) as first:
        await wait_until(lambda: published(client), within_seconds=90)
        result = await synchronously(client, web.url("/page/of-its-own"))
        web.gives = GIVEN_AT_ONCE + 1
        started = await client.post("/v1/workflows/check_links/runs", json={"urls": urls})
        run_id = RunId(UUID(started.json()["run"]["id"]))
        await wait_until(lambda: settled(site.database, run_id, GIVEN_AT_ONCE), within_seconds=60)
        done = Counter(web.answered)
        first.signal(signal.SIGKILL)

    web.free.set()
    with site.worker("second", **LINKS):
        async with following(client, run_id) as frames:
            await wait_until(lambda: asks(client, run_id), within_seconds=120)
            waiting = (await client.get(f"/v1/runs/{run_id}")).json()
            wrong = await answer(client, run_id, {"approved": "perhaps"})
            right = await answer(client, run_id, {"approved": True, "note": "Thanks."})
            last = [frame async for frame in frames][-1]

    assert (result.status_code, result.json()["seen"]) == (200, 1)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "approved")
    assert right.status_code == 202
    assert waiting["reason"]["question"]["about"] == {"broken": gone}
    assert waiting["stages"][0]["done"] == waiting["stages"][0]["total"] == MANY
    assert last.data["kind"] == "run.succeeded_with_failures"
    assert last.data["patch"]["output"] == {
        "seen": MANY - len(gone),
        "broken": gone,
        "published": True,
        "note": "Thanks.",
    }
    run = (await client.get(f"/v1/runs/{run_id}")).json()
    assert (run["counts"]["found"], run["counts"]["failed"]) == (MANY, {"not_found": len(gone)})
    assert {path for path in done if web.asked[path] > 1} == set()
    assert sum(web.asked.values()) - len(web.asked) <= AT_ONCE  # what was in hand when it died


async def published(client: httpx.AsyncClient) -> bool:
    return (await client.get("/v1/workflows/check_links")).is_success


async def synchronously(client: httpx.AsyncClient, url: str) -> httpx.Response:
    whole = {"urls": [url], "review": False}
    patient = {"Prefer": "wait=60"}
    return await client.post("/v1/workflows/check_links", json=whole, headers=patient)


async def settled(database: Database, run_id: RunId, number: int) -> bool:
    return (await look(database, run_id)).counts.found >= number


async def asks(client: httpx.AsyncClient, run_id: RunId) -> bool:
    reason = (await client.get(f"/v1/runs/{run_id}")).json()["reason"]
    return reason is not None and reason["code"] == "input"


async def answer(
    client: httpx.AsyncClient, run_id: RunId, given: Mapping[str, Any]
) -> httpx.Response:
    body = {"question": "publish", "answer": given}
    return await client.post(f"/v1/runs/{run_id}/input", json=body)


@asynccontextmanager
async def following(client: httpx.AsyncClient, run_id: RunId) -> AsyncGenerator[Any]:
    async with client.stream("GET", f"/v1/runs/{run_id}/output", headers=SSE) as response:
        yield told(response)
