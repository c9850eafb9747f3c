"""Disconnecting for good, over HTTP."""

from pathlib import Path
from uuid import UUID, uuid4

import httpx

from api import words
from api.client import AsyncClient
from storage import erasing
from storage.database import Database
from storage.erasing import Step
from storage.ids import LOCAL_TENANT
from tests.serving import Served


async def connect(web: httpx.AsyncClient, path: Path) -> str:
    wanted = {"kind": "local", "config": {"path": str(path)}}
    return str((await web.post("/v1/connections", json=wanted)).json()["id"])


async def test_a_connection_is_gone_for_everybody_at_once_and_can_be_made_anew(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    connection = await connect(web, tmp_path)
    run = (await web.post(f"/v1/connections/{connection}/runs")).json()["run"]["id"]

    erased = await web.delete(f"/v1/connections/{connection}")
    again = await web.delete(f"/v1/connections/{connection}")
    anew = await connect(web, tmp_path)

    assert (erased.status_code, again.status_code) == (202, 202)
    assert erased.json() == again.json()
    assert erased.headers["location"] == f"/v1/erasures/{erased.json()['id']}"
    assert (erased.json()["step"], erased.json()["counts"]) == ("data", {"runs": 1})
    assert (await web.get(f"/v1/connections/{connection}")).status_code == 404
    assert (await web.get(f"/v1/runs/{run}")).status_code == 404
    assert (await web.post(f"/v1/connections/{connection}/runs")).status_code == 404
    listed = (await web.get("/v1/connections")).json()["items"]
    assert [each["id"] for each in listed] == [anew]
    assert anew != connection


async def test_the_receipt_outlives_the_connection(
    served: Served, database: Database, tmp_path: Path
) -> None:
    async with AsyncClient(served.url) as client:
        connection = await client.connect("local", {"path": str(tmp_path)})
        begun = await client.erase(connection.id)
        async with database.transaction() as tx:
            asked = await erasing.get(tx, LOCAL_TENANT, begun.id)
            assert asked is not None
            while await erasing.erase_some(tx, asked):
                pass
        for _ in range(3):
            async with database.transaction() as tx:
                at = await erasing.get(tx, LOCAL_TENANT, begun.id)
                assert at is not None
                await erasing.advance(tx, at)
        receipt = await client.erasure(begun.id)

    assert (receipt.step, receipt.connection_id) == (Step.DONE, connection.id)
    assert receipt.finished_at is not None
    assert words.erasure(receipt)[0] == "Erased: 1 answers, 1 connections."


async def test_what_is_not_there_cannot_be_erased(web: httpx.AsyncClient) -> None:
    unknown: UUID = uuid4()

    gone, receipt = (
        await web.delete(f"/v1/connections/{unknown}"),
        await web.get(f"/v1/erasures/{unknown}"),
    )

    assert (gone.status_code, receipt.status_code) == (404, 404)
