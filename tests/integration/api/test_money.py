"""What a backend asks about money, and what it says a model should read."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from storage import runs
from storage.database import Database
from storage.ids import LOCAL_TENANT, RunId, new_id
from storage.money import Used, usage


async def connect(web: httpx.AsyncClient, path: Path) -> str:
    response = await web.post(
        "/v1/connections", json={"kind": "local", "config": {"path": str(path)}}
    )
    return str(response.json()["id"])


async def start(web: httpx.AsyncClient, path: Path) -> RunId:
    response = await web.post(f"/v1/connections/{await connect(web, path)}/runs")
    return RunId(UUID(response.json()["run"]["id"]))


async def test_a_budget_is_what_was_said_last(web: httpx.AsyncClient) -> None:
    assert (await web.get("/v1/budgets")).json() == {"month_usd": None, "run_usd": None}

    await web.put("/v1/budgets", json={"month_usd": "20.5", "run_usd": "1.25"})
    said = (await web.get("/v1/budgets")).json()
    await web.put("/v1/budgets", json={"month_usd": None})
    later = (await web.get("/v1/budgets")).json()

    assert {key: float(value) for key, value in said.items()} == {
        "month_usd": 20.5,
        "run_usd": 1.25,
    }
    assert later == {"month_usd": None, "run_usd": None}


@pytest.mark.parametrize("amount", ["-1", "much", "NaN", 10**9, "0.0000000001"])
async def test_an_amount_that_is_none_is_refused(web: httpx.AsyncClient, amount: Any) -> None:
    response = await web.put("/v1/budgets", json={"month_usd": amount})

    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"


async def test_a_runs_own_budget_comes_before_that_of_all_runs(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    run_id = await start(web, tmp_path)
    await web.put("/v1/budgets", json={"run_usd": "1"})

    own = await web.put(f"/v1/runs/{run_id}/budget", json={"usd": "5"})
    none = await web.put(f"/v1/runs/{run_id}/budget", json={"usd": None})

    assert float(own.json()["run_usd"]) == 5
    assert float(none.json()["run_usd"]) == 1


async def test_the_usage_of_a_run_is_told_by_component_and_model(
    web: httpx.AsyncClient, database: Database, tmp_path: Path
) -> None:
    run_id = await start(web, tmp_path)
    row = Used(component="read", model="m", calls=2, input_tokens=10, cost_nanos=1_500_000)
    async with database.transaction() as tx:
        run = await runs.find(tx, run_id)
        assert run is not None
        await usage.add(tx, LOCAL_TENANT, run.id, [row])

    told = (await web.get(f"/v1/runs/{run_id}/usage")).json()

    assert (told["items"][0]["component"], told["items"][0]["calls"]) == ("read", 2)
    assert float(told["cost_usd"]) == 0.0015


@pytest.mark.parametrize("path", ["budget", "usage"])
async def test_a_run_that_is_not_there_has_no_money(web: httpx.AsyncClient, path: str) -> None:
    method = "PUT" if path == "budget" else "GET"

    response = await web.request(
        method, f"/v1/runs/{new_id()}/{path}", json={"usd": "1"} if method == "PUT" else None
    )

    assert response.status_code == 404


async def test_a_profile_is_kept_with_its_connection(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    connection = await connect(web, tmp_path)
    fields = {"type": "object", "properties": {"price": {"type": "number"}}}

    said = await web.put(
        f"/v1/connections/{connection}/profile",
        json={"instructions": "Look for prices.", "fields": fields},
    )
    kept = (await web.get(f"/v1/connections/{connection}")).json()
    await web.put(f"/v1/connections/{connection}/profile", json={})
    later = (await web.get(f"/v1/connections/{connection}")).json()

    assert said.status_code == 200
    assert kept["profile"] == {"instructions": "Look for prices.", "schema": fields}
    assert later["profile"] is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "array"}, '"type" is "object"'),
        ({"type": "object", "properties": {"a": {"pattern": "(a+)+"}}}, '"pattern"'),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.org"}}}, '"$ref"'),
        ({"type": "object", "required": 7}, "no valid JSON schema at required"),
        ({"type": "object", "description": "x" * 30_000}, "larger than"),
    ],
)
async def test_a_profile_that_cannot_be_asked_for_is_refused_with_the_reason(
    web: httpx.AsyncClient, tmp_path: Path, fields: Any, words: str
) -> None:
    connection = await connect(web, tmp_path)

    response = await web.put(f"/v1/connections/{connection}/profile", json={"fields": fields})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_profile")
    assert words in response.json()["detail"]


async def test_a_connection_that_is_not_there_has_no_profile(web: httpx.AsyncClient) -> None:
    response = await web.put(f"/v1/connections/{new_id()}/profile", json={})

    assert response.status_code == 404
