"""Connecting, starting, looking: what a product's backend does."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.ids import new_id
from tests.integration.api.following import following, take
from tests.serving import Served, Story


async def connect(web: httpx.AsyncClient, path: object, **more: Any) -> httpx.Response:
    return await web.post(
        "/v1/connections", json={"kind": "local", "config": {"path": str(path)}, **more}
    )


async def test_kinds_of_sources_come_with_their_schema(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/connectors")

    [local] = [each for each in response.json()["items"] if each["kind"] == "local"]
    assert "path" in local["config_schema"]["properties"]


async def test_connecting_the_same_source_again_is_the_same_connection(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    first = await connect(web, tmp_path, title="Mine")
    second = await connect(web, tmp_path)
    others = await connect(web, tmp_path, owner="somebody else")

    assert (first.status_code, second.status_code, others.status_code) == (201, 200, 201)
    assert first.json() == second.json()
    assert first.json()["title"] == "Mine"
    assert first.headers["location"] == f"/v1/connections/{first.json()['id']}"
    assert others.json()["id"] != first.json()["id"]


async def test_a_source_without_a_title_is_named_after_its_place(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    response = await connect(web, tmp_path)

    assert response.json()["title"] == tmp_path.name


async def test_a_run_is_accepted_at_once_and_told_where_to_watch(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    connection = (await connect(web, tmp_path)).json()

    response = await web.post(f"/v1/connections/{connection['id']}/runs")

    started = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/runs/{started['run']['id']}"
    assert response.headers["retry-after"] == "1"
    assert started["events_url"] == f"/v1/runs/{started['run']['id']}/events"
    assert (started["run"]["status"], started["cursor"]) == ("queued", 0)


async def test_following_from_the_cursor_of_the_start_misses_nothing(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    connection = (await connect(web, tmp_path)).json()
    started = (await web.post(f"/v1/connections/{connection['id']}/runs")).json()

    response = await web.get(
        started["events_url"],
        params={"cursor": started["cursor"]},
        headers={"Accept": "application/json"},
    )

    assert [frame["kind"] for frame in response.json()["frames"]] == ["run.queued"]


async def test_a_second_start_joins_the_run_that_goes_on(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    connection = (await connect(web, tmp_path)).json()
    path = f"/v1/connections/{connection['id']}/runs"

    answers = await asyncio.gather(*(web.post(path) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run"]["id"] for answer in answers}) == 1


async def test_starting_wakes_a_worker(
    client: httpx.AsyncClient, served: Served, tmp_path: Path
) -> None:
    connection = (await connect(client, tmp_path)).json()
    waiting = asyncio.create_task(served.services.wakeup.wait(30))

    await client.post(f"/v1/connections/{connection['id']}/runs")

    async with asyncio.timeout(20):
        await waiting


async def test_a_client_may_prefer_no_body(web: httpx.AsyncClient, tmp_path: Path) -> None:
    connection = (await connect(web, tmp_path)).json()

    response = await web.post(
        f"/v1/connections/{connection['id']}/runs",
        headers={"Prefer": "respond-async, return=minimal, wait=5"},
    )

    assert (response.status_code, response.content) == (202, b"")
    assert response.headers["preference-applied"] == "respond-async, return=minimal"
    assert response.headers["location"].startswith("/v1/runs/")


async def test_the_same_key_does_it_once(web: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"kind": "local", "config": {"path": str(tmp_path)}}
    key = {"Idempotency-Key": "abc"}

    first = await web.post("/v1/connections", json=body, headers=key)
    again = await web.post("/v1/connections", json=body, headers=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


async def test_the_same_key_with_another_body_is_refused(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    key = {"Idempotency-Key": "abc"}
    body = {"kind": "local", "config": {"path": str(tmp_path)}}
    await web.post("/v1/connections", json=body, headers=key)

    response = await web.post("/v1/connections", json={**body, "owner": "ada"}, headers=key)

    assert (response.status_code, response.json()["code"]) == (422, "key_reused")


async def test_the_same_key_at_once_gives_one_run_to_all(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    connection = (await connect(web, tmp_path)).json()
    path = f"/v1/connections/{connection['id']}/runs"

    answers = await asyncio.gather(
        *(web.post(path, headers={"Idempotency-Key": "k"}) for _ in range(8))
    )

    assert len({answer.text for answer in answers}) == 1


async def test_a_run_is_shown_as_its_watchers_see_it(
    web: httpx.AsyncClient, client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    await story.tick(searchable=12, activity="Reading")
    async with following(client, story) as frames:
        [snapshot] = await take(frames, 1)

    response = await web.get(f"/v1/runs/{story.run}")

    assert response.json() == {**snapshot.data["state"], "seq": 3}
    assert response.headers["cache-control"] == "private, no-store"


async def test_a_run_that_has_not_moved_is_not_sent_again(
    web: httpx.AsyncClient, story: Story
) -> None:
    first = await web.get(f"/v1/runs/{story.run}")
    tag = {"If-None-Match": first.headers["etag"]}
    unmoved = await web.get(f"/v1/runs/{story.run}", headers=tag)
    await story.start()
    moved = await web.get(f"/v1/runs/{story.run}", headers=tag)

    assert (unmoved.status_code, unmoved.content) == (304, b"")
    assert unmoved.headers["etag"] == first.headers["etag"]
    assert (moved.status_code, moved.json()["status"]) == (200, "running")


async def test_runs_are_listed_newest_first_and_filtered(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    ids = []
    for name in ("one", "two"):
        connection = (await connect(web, tmp_path / name)).json()
        started = await web.post(f"/v1/connections/{connection['id']}/runs")
        ids.append(started.json()["run"]["id"])

    everything = (await web.get("/v1/runs")).json()["items"]
    queued = (await web.get("/v1/runs", params={"status": "queued"})).json()["items"]
    of_two = await web.get("/v1/runs", params={"connection_id": connection["id"]})
    ended = (await web.get("/v1/runs", params={"status": "failed"})).json()["items"]

    assert [run["id"] for run in everything] == list(reversed(ids))
    assert [run["title"] for run in everything] == ["two", "one"]
    assert queued == everything
    assert [run["id"] for run in of_two.json()["items"]] == ids[1:]
    assert ended == []


async def test_pages_hold_everything_once(web: httpx.AsyncClient, tmp_path: Path) -> None:
    for number in range(7):
        await connect(web, tmp_path / str(number))
    titles: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3"} if cursor is None else {"limit": "3", "cursor": cursor}
        page = (await web.get("/v1/connections", params=params)).json()
        titles += [each["title"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert titles == [str(number) for number in reversed(range(7))]


async def test_a_cursor_of_another_list_is_refused(web: httpx.AsyncClient, tmp_path: Path) -> None:
    await connect(web, tmp_path / "one")
    await connect(web, tmp_path / "two")
    cursor = (await web.get("/v1/connections", params={"limit": 1})).json()["next_cursor"]

    filtered = await web.get("/v1/connections", params={"cursor": cursor, "owner": "ada"})
    of_runs = await web.get("/v1/runs", params={"cursor": cursor})

    for response in (filtered, of_runs):
        assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


async def test_a_run_has_a_receipt_also_while_it_goes_on(
    web: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    receipt = (await web.get(f"/v1/runs/{story.run}/receipt")).json()

    assert (receipt["status"], receipt["title"], receipt["adds_up"]) == ("running", "Notes", True)
    assert receipt["index"] == {"artifacts": 0, "chunks": 0}


async def test_a_run_without_artifacts_lists_none(web: httpx.AsyncClient, story: Story) -> None:
    response = await web.get(f"/v1/runs/{story.run}/artifacts")

    assert response.json() == {"items": [], "next_cursor": None}


async def test_searching_where_nothing_is_finds_nothing(
    web: httpx.AsyncClient, story: Story
) -> None:
    response = await web.get("/v1/search", params={"q": "where is the next seq given"})

    assert response.json() == {"items": [], "note": None}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs/{id}",
        "/v1/runs/{id}/events",
        "/v1/runs/{id}/artifacts",
        "/v1/runs/{id}/receipt",
        "/v1/connections/{id}",
        "/v1/search?q=x&connection_id={id}",
        "/v1/artifacts/7",
        "/v1/artifacts/99999999999999999999999",
        "/v1/artifacts/seven",
        "/v1/runs/not-an-id",
    ],
)
async def test_what_does_not_exist_is_not_found(web: httpx.AsyncClient, path: str) -> None:
    response = await web.get(path.format(id=new_id()))

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_nothing_is_started_for_a_connection_that_does_not_exist(
    web: httpx.AsyncClient,
) -> None:
    response = await web.post(f"/v1/connections/{new_id()}/runs")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
