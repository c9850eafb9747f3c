"""Every no: one shape, one sentence, and nothing that should stay inside."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from storage import embedded
from storage.database import Database, open_database
from storage.events import Snapshot
from storage.ids import RunId
from storage.streams.connect import open_redis
from storage.streams.memory import MemoryEventLog
from storage.streams.redis import RedisEventLog
from tests.serving import Story, asking

JSON = {"Content-Type": "application/json"}
PARTS = {"type", "title", "status", "detail", "code", "retryable", "action", "request_id"}
SECRET = "token ghp_of_somebody"  # noqa: S105  # what must not be seen


class BrokenLog(MemoryEventLog):
    """A log with a bug, whose message holds what nobody should see."""

    async def snapshot(self, _run: RunId) -> Snapshot | None:
        raise RuntimeError(SECRET)


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    said: dict[str, Any] = response.json()
    assert (response.status_code, said["code"]) == (status, code), said
    assert response.headers["content-type"] == "application/problem+json"
    assert said.keys() >= PARTS
    assert said["type"] == f"urn:headwater:problem:{code}"
    assert said["request_id"] == response.headers["x-request-id"]
    assert said["status"] == status
    return said


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/v1/nothing", {}, 404, "not_found"),
        ("DELETE", "/v1/runs", {}, 405, "method_not_allowed"),
        ("POST", "/v1/connections", {"content": "{", "headers": JSON}, 400, "malformed_json"),
        ("POST", "/v1/connections", {"content": "[]", "headers": JSON}, 422, "invalid_request"),
        ("POST", "/v1/connections", {"headers": JSON}, 422, "invalid_request"),
        ("POST", "/v1/connections", {"data": {"kind": "local"}}, 415, "unsupported_media_type"),
        ("POST", "/v1/connections", {"content": "{}"}, 415, "unsupported_media_type"),
        (
            "POST",
            "/v1/connections",
            {"content": b" " * 1_000_001, "headers": JSON},
            413,
            "payload_too_large",
        ),
        (
            "POST",
            "/v1/connections",
            {"json": {"kind": "gopher", "config": {}}},
            422,
            "unknown_connector",
        ),
        (
            "POST",
            "/v1/connections",
            {"json": {"kind": "local", "config": {"path": 7}}},
            422,
            "invalid_config",
        ),
        ("GET", "/v1/runs?limit=201", {}, 422, "invalid_request"),
        ("GET", "/v1/runs?limit=0", {}, 422, "invalid_request"),
        ("GET", "/v1/runs?status=lost", {}, 422, "invalid_request"),
        ("GET", "/v1/runs?cursor=forged", {}, 400, "invalid_cursor"),
        ("GET", "/v1/search", {}, 422, "invalid_request"),
        ("GET", "/v1/search?q=%00", {}, 422, "invalid_request"),
        ("GET", "/v1/runs", {"headers": {"Host": "evil.example"}}, 421, "foreign_host"),
        ("GET", "/v1/runs", {"headers": {"Host": "127.0.0.1.evil.example"}}, 421, "foreign_host"),
        (
            "POST",
            "/v1/connections",
            {"json": {}, "headers": {"Origin": "https://evil.example"}},
            403,
            "foreign_origin",
        ),
        ("POST", "/v1/connections", {"headers": {"Origin": "null"}}, 403, "foreign_origin"),
        ("GET", "/v1/runs", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "foreign_origin"),
    ],
)
async def test_every_no_has_the_same_shape(
    *,
    web: httpx.AsyncClient,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
    code: str,
) -> None:
    response = await web.request(method, path, **sent)

    said = assert_problem(response, status, code)
    assert said["detail"].endswith(".")
    assert said["action"]


async def test_a_path_names_all_its_methods(web: httpx.AsyncClient) -> None:
    response = await web.put("/v1/connections")

    assert response.headers["allow"] == "GET, POST"


async def test_a_field_that_is_wrong_is_named_and_not_repeated(web: httpx.AsyncClient) -> None:
    response = await web.post(
        "/v1/connections", json={"kind": "local", "config": {}, "owner": 7, "passwort": SECRET}
    )

    said = assert_problem(response, 422, "invalid_request")
    assert {each["field"] for each in said["errors"]} == {"body.owner", "body.passwort"}
    assert "body.owner: Input should be a valid string." in said["detail"]
    assert SECRET not in response.text


async def test_a_connectors_own_words_are_told(web: httpx.AsyncClient) -> None:
    response = await web.post(
        "/v1/connections", json={"kind": "local", "config": {"path": "~/notes"}}
    )

    said = assert_problem(response, 422, "invalid_config")
    assert said["errors"][0]["field"] == "config.path"
    assert "home folder" in said["detail"]


@pytest.mark.parametrize("value", ['"\\u0000"', '"\\ud800"', "NaN", "1e999"])
async def test_what_no_database_keeps_is_refused(web: httpx.AsyncClient, value: str) -> None:
    body = f'{{"kind": "local", "config": {{"path": {value}}}}}'

    response = await web.post("/v1/connections", content=body, headers=JSON)

    assert response.status_code == 422


async def test_a_bug_is_told_by_its_id_and_never_by_its_text(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    log = BrokenLog()
    story = await Story.begin(database, log)
    async with asking(database, log) as web:
        response = await web.get(f"/v1/runs/{story.run}", headers={"X-Request-ID": "ask-me"})

    said = assert_problem(response, 500, "internal")
    assert said["request_id"] == "ask-me"
    assert SECRET not in response.text
    assert SECRET in capsys.readouterr().out


async def test_a_request_id_that_is_no_id_is_not_taken_over(web: httpx.AsyncClient) -> None:
    response = await web.get("/livez", headers={"X-Request-ID": 'a "quoted" one'})

    assert response.headers["x-request-id"].isalnum()


async def test_a_link_from_another_site_may_be_followed(web: httpx.AsyncClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    response = await web.get("/", headers=headers)

    assert response.status_code == 200


async def test_our_own_page_may_start_runs(web: httpx.AsyncClient, tmp_path: Path) -> None:
    headers = {"Origin": str(web.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    body = {"kind": "local", "config": {"path": str(tmp_path)}}

    response = await web.post("/v1/connections", json=body, headers=headers)

    assert response.status_code == 201


async def test_everything_is_ready(web: httpx.AsyncClient) -> None:
    response = await web.get("/readyz")

    assert response.json()["state"] == "ready"
    assert [check["name"] for check in response.json()["checks"]] == ["database", "schema", "redis"]


async def test_without_redis_we_are_degraded_and_say_what_to_do(
    database: Database, tmp_path: Path
) -> None:
    redis = await embedded.ensure(tmp_path / "data")
    async with open_redis(redis.url) as connected:
        log = RedisEventLog(connected)
        await redis.stop()
        async with asking(database, log) as web:
            ready = await web.get("/readyz")
            live = await web.get("/livez")
            body = {"kind": "local", "config": {"path": str(tmp_path)}}
            connection = (await web.post("/v1/connections", json=body)).json()
            started = await web.post(f"/v1/connections/{connection['id']}/runs")
            shown = await web.get(started.headers["location"])

    assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
    assert "HEADWATER_REDIS_URL" in ready.json()["checks"][-1]["action"]
    assert live.status_code == 200
    assert started.status_code == 202
    assert (shown.json()["status"], shown.json()["seq"]) == ("queued", None)


async def test_without_a_database_we_are_not_ready_and_every_answer_says_to_try_again(
    tmp_path: Path,
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/missing/headwater.db"
    async with (
        open_database(url) as database,
        asking(database, MemoryEventLog()) as web,
    ):
        ready = await web.get("/readyz")
        runs = await web.get("/v1/runs")
        live = await web.get("/livez")

    assert_problem(ready, 503, "not_ready")
    assert ready.json()["state"] == "down"
    said = assert_problem(runs, 503, "database_unavailable")
    assert (said["retryable"], runs.headers["retry-after"]) == (True, "2")
    assert live.status_code == 200


async def test_an_old_schema_is_not_ready_and_says_how_to_upgrade(tmp_path: Path) -> None:
    async with (
        open_database(f"sqlite+aiosqlite:///{tmp_path}/new.db") as database,
        asking(database, MemoryEventLog()) as web,
    ):
        ready = await web.get("/readyz")

    said = assert_problem(ready, 503, "not_ready")
    assert "python -m storage.migrations" in said["action"]


async def test_the_console_is_served_for_browsers_that_trust_nothing_else(
    web: httpx.AsyncClient,
) -> None:
    page = await web.get("/")
    unchanged = await web.get("/", headers={"If-None-Match": page.headers["etag"]})

    assert page.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    "path", ["/../settings.py", "/console/..%2f..%2fsettings.py", "/..%2fapp.py", "/nothing.js"]
)
async def test_nothing_outside_the_consoles_folder_is_served(
    web: httpx.AsyncClient, path: str
) -> None:
    response = await web.get(path)

    assert response.status_code == 404
