"""Saying which version of the workers gets the runs, and seeing who drains."""

import asyncio
from typing import Any

import httpx
import pytest

from api.client import AsyncClient, Client, Conflict, Invalid
from api.rollout import DeploymentView
from storage import workers
from storage.database import Database
from tests.serving import Served, Story


async def joined(database: Database, *versions: str) -> None:
    async with database.transaction() as tx:
        for version in versions:
            await workers.register(
                tx, name=f"w{version}", version=version, host="here", pid=1, slots=4
            )


async def deploy(web: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await web.post("/v1/deployment", json=body)


async def test_before_anything_is_deployed_every_version_serves(
    web: httpx.AsyncClient, database: Database
) -> None:
    await joined(database, "1")

    shown = (await web.get("/v1/deployment")).json()

    assert (shown["active"], shown["ramp"], shown["history"]) == (None, None, [])
    assert shown["versions"] == [
        {"version": "1", "role": "serving", "workers": 1, "held": 0, "queued": 0}
    ]


async def test_a_version_is_activated_once_however_often_it_is_asked(
    web: httpx.AsyncClient, database: Database
) -> None:
    await joined(database, "1")

    first, again = await deploy(web, activate="1"), await deploy(web, activate="1")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json() == (await web.get("/v1/deployment")).json()
    assert (first.json()["active"], len(first.json()["history"])) == ("1", 1)


async def test_a_ramp_and_who_waits_for_whom_are_shown(
    web: httpx.AsyncClient, database: Database, story: Story
) -> None:
    await joined(database, "1", "2")
    await deploy(web, activate="1")

    shown = (await deploy(web, ramp={"version": "2", "percent": 100})).json()

    roles = {each["version"]: (each["role"], each["queued"]) for each in shown["versions"]}
    assert shown["ramp"] == {"version": "2", "percent": 100}
    assert roles == {"1": ("active", 0), "2": ("ramping", 1)}


async def test_a_version_without_workers_is_refused_unless_it_is_forced(
    web: httpx.AsyncClient, database: Database
) -> None:
    refused = await deploy(web, activate="9")
    forced = await deploy(web, activate="9", force=True)
    ramped = await deploy(web, ramp={"version": "8", "percent": 5})
    ended = await deploy(web, ramp={"version": "8", "percent": 0})

    assert (refused.status_code, refused.json()["code"]) == (409, "no_workers")
    assert "HEADWATER_VERSION" in refused.json()["action"]
    assert (forced.status_code, forced.json()["active"]) == (200, "9")
    assert (ramped.status_code, ended.status_code) == (409, 200)


async def test_a_draining_worker_does_not_count(web: httpx.AsyncClient, database: Database) -> None:
    await joined(database, "1")
    async with database.transaction() as tx:
        await workers.beat(tx, "w1", draining=True, held=0)

    refused = await deploy(web, activate="1")

    assert refused.json()["code"] == "no_workers"


async def test_a_ramp_needs_something_to_ramp_from(
    web: httpx.AsyncClient, database: Database
) -> None:
    await joined(database, "2")

    refused = await deploy(web, ramp={"version": "2", "percent": 5})

    assert (refused.status_code, refused.json()["code"]) == (409, "not_deployed")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"activate": "1", "ramp": {"version": "2", "percent": 5}},
        {"activate": " "},
        {"activate": "1\0"},
        {"ramp": {"version": "2", "percent": 101}},
        {"ramp": {"version": "2"}},
        {"activated": "1"},
    ],
)
async def test_what_is_no_change_is_refused(web: httpx.AsyncClient, body: dict[str, Any]) -> None:
    refused = await deploy(web, **body)

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert (await web.get("/v1/deployment")).json()["history"] == []


async def test_deploying_wakes_the_workers(
    client: httpx.AsyncClient, served: Served, database: Database
) -> None:
    await joined(database, "1")
    waiting = asyncio.create_task(served.services.wakeup.wait(30))

    await deploy(client, activate="1")

    async with asyncio.timeout(20):
        await waiting


async def test_both_clients_deploy(served: Served, database: Database) -> None:
    await joined(database, "1", "2")

    def blocking() -> tuple[DeploymentView, DeploymentView]:
        with Client(served.url) as client:
            client.activate("1")
            client.ramp("2", 20)
            return client.activate("2"), client.deployment()

    done, seen = await asyncio.to_thread(blocking)
    async with AsyncClient(served.url) as client:
        same = await client.activate("2")
        with pytest.raises(Conflict):
            await client.ramp("3", 5)
        with pytest.raises(Invalid):
            await client.ramp("2", 500)

    assert done == seen == same
    assert [change.active for change in same.history] == ["1", "1", "2"]
