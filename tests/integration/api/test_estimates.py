"""What an ingestion would come to, asked for before it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from storage import models
from storage.database import Database
from storage.models import Models
from storage.money import Price


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.md").write_text(f"Note {number} says that rain is due. " * 10)
    return folder


async def estimated(web: httpx.AsyncClient, folder: Path) -> dict[str, Any]:
    made = await web.post(
        "/v1/connections", json={"kind": "local", "config": {"path": str(folder)}}
    )
    answer = await web.post(f"/v1/connections/{made.json()['id']}/estimate")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_it_tells_artifacts_tokens_money_and_time(
    web: httpx.AsyncClient, database: Database, notes: Path
) -> None:
    async with database.transaction() as tx:
        told = Models(
            reads="m", price=Price(1_000, 0, 10_000), prices_source="a list", prices_date="2026"
        )
        await models.publish(tx, told)

    found = await estimated(web, notes)

    assert (found["artifacts"], found["ingested"], found["model"]) == (10, 0, "m")
    assert 300 < found["tokens"]["low"] < found["tokens"]["high"] < 2_000
    assert 0 < float(found["cost_usd"]["low"]) < float(found["cost_usd"]["high"]) < 1
    assert found["seconds"]["low"] <= found["seconds"]["high"]
    assert found["prices"] == "a list, 2026"
    assert found["notes"] == []


async def test_it_says_when_no_model_reads(
    web: httpx.AsyncClient, database: Database, notes: Path
) -> None:
    unsaid = await estimated(web, notes)
    async with database.transaction() as tx:
        await models.publish(tx, Models())
    none = await estimated(web, notes)

    assert "No worker has started yet" in unsaid["notes"][0]
    assert "No language model is configured" in none["notes"][0]
    assert (none["model"], float(none["cost_usd"]["high"])) == (None, 0)


async def test_a_source_that_is_gone_is_told_as_one(web: httpx.AsyncClient, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    made = await web.post(
        "/v1/connections", json={"kind": "local", "config": {"path": str(folder)}}
    )
    folder.rmdir()

    answer = await web.post(f"/v1/connections/{made.json()['id']}/estimate")

    assert answer.json()["code"] == "source_trouble"
    assert answer.json()["action"]


async def test_a_connection_that_there_is_none_of_is_not_found(web: httpx.AsyncClient) -> None:
    answer = await web.post("/v1/connections/01936f2e-7b1c-7d42-9a51-2f6f0c1d5b10/estimate")

    assert answer.status_code == 404
