"""What many clients do at once, on both databases."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from storage.database import Database
from storage.streams.memory import MemoryEventLog
from tests.serving import asking


@pytest.fixture
async def web(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with asking(database, MemoryEventLog()) as client:
        yield client


async def test_one_key_at_once_from_everywhere_is_done_once(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    body = {"kind": "local", "config": {"path": str(tmp_path)}}

    answers = await asyncio.gather(
        *(
            web.post("/v1/connections", json=body, headers={"Idempotency-Key": "k"})
            for _ in range(12)
        )
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1


async def test_many_starts_at_once_are_one_run(web: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"kind": "local", "config": {"path": str(tmp_path)}}
    connection = (await web.post("/v1/connections", json=body)).json()

    answers = await asyncio.gather(
        *(web.post(f"/v1/connections/{connection['id']}/runs") for _ in range(12))
    )

    assert len({answer.json()["run"]["id"] for answer in answers}) == 1
    listed = (await web.get("/v1/runs")).json()["items"]
    assert len(listed) == 1


async def test_every_list_and_view_answers(web: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"kind": "local", "config": {"path": str(tmp_path)}}
    connection = (await web.post("/v1/connections", json=body)).json()
    run = (await web.post(f"/v1/connections/{connection['id']}/runs")).json()["run"]

    paths = [
        "/readyz",
        "/v1/connections",
        f"/v1/connections/{connection['id']}",
        "/v1/runs?limit=1",
        f"/v1/runs/{run['id']}",
        f"/v1/runs/{run['id']}/receipt",
        f"/v1/runs/{run['id']}/artifacts?status=ready",
        "/v1/search?q=%22odd%22+AND+%28+%2A",
    ]

    assert {path: (await web.get(path)).status_code for path in paths} == dict.fromkeys(paths, 200)
