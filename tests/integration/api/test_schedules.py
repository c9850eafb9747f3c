"""Setting schedules over HTTP and from Python, and what is said of them."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api import words
from api.client import AsyncClient, Client, Invalid, NotFound
from api.commands.ending import Trouble
from api.commands.schedule import seconds
from pipelines.schedules import Scheduler
from storage import schedules
from storage.clock import now
from storage.database import Database
from storage.ids import LOCAL_TENANT, ConnectionId
from storage.schedules import Hold
from storage.tables import schedules as table
from tests.serving import Served


@pytest.fixture
async def path(web: httpx.AsyncClient, tmp_path: Path) -> str:
    """Of a connection's schedule."""
    wanted = {"kind": "local", "config": {"path": str(tmp_path)}}
    made = (await web.post("/v1/connections", json=wanted)).json()
    return f"/v1/connections/{made['id']}/schedule"


async def test_a_schedule_is_what_was_put_last(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.get(path)).status_code == 404

    put = await web.put(path, json={"cron": "0 6 * * 1-5", "time_zone": "Europe/Paris"})
    other = await web.put(path, json={"interval_seconds": 21_600, "jitter_seconds": 60})
    shown, listed = (await web.get(path)).json(), (await web.get("/v1/schedules")).json()

    assert (put.status_code, put.json()["cron"]) == (200, "0 6 * * 1-5")
    assert put.json()["next_at"] > now().isoformat()
    assert (other.json()["cron"], other.json()["interval_seconds"]) == (None, 21_600)
    assert shown == {**other.json(), "recent": []}
    assert listed["items"] == [other.json()]


@pytest.mark.parametrize(
    ("wanted", "code", "complaint"),
    [
        ({}, "invalid_schedule", "either"),
        ({"cron": "every day"}, "invalid_schedule", "five fields"),
        ({"cron": "99 * * * *"}, "invalid_schedule", "Bad minute"),
        ({"cron": "0 6 * * *", "time_zone": "Mars/Olympus"}, "invalid_schedule", "time zone"),
        ({"interval_seconds": 59}, "invalid_schedule", "a minute"),
        ({"interval_seconds": 10**30}, "invalid_schedule", "366 days"),
        ({"interval_seconds": 3600, "jitter_seconds": 3601}, "invalid_request", "jitter_seconds"),
        ({"interval_seconds": 60, "jitter_seconds": 60}, "invalid_schedule", "jitter"),
        ({"cron": "\0"}, "invalid_request", "cron"),
        ({"often": True}, "invalid_request", "often"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    web: httpx.AsyncClient, path: str, wanted: dict[str, Any], code: str, complaint: str
) -> None:
    kept = (await web.put(path, json={"interval_seconds": 3600})).json()

    refused = await web.put(path, json=wanted)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert complaint in refused.json()["detail"]
    assert refused.json()["action"]
    assert {**kept, "recent": []} == (await web.get(path)).json()


async def test_a_schedule_of_nothing_is_not_there(web: httpx.AsyncClient) -> None:
    path = f"/v1/connections/{uuid4()}/schedule"

    answers = [
        await web.get(path),
        await web.put(path, json={"interval_seconds": 60}),
        await web.delete(path),
        await web.post(f"{path}/pause"),
        await web.post(f"{path}/resume"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5


async def test_a_schedule_is_paused_resumed_and_taken_away(
    web: httpx.AsyncClient, path: str
) -> None:
    await web.put(path, json={"interval_seconds": 3600})

    paused, again = await web.post(f"{path}/pause"), await web.post(f"{path}/pause")
    resumed = await web.post(f"{path}/resume")
    gone, twice = await web.delete(path), await web.delete(path)

    assert paused.json() == again.json()
    assert (paused.json()["paused"], paused.json()["next_at"]) == (True, None)
    assert resumed.json()["next_at"]
    assert (gone.status_code, twice.status_code) == (204, 204)
    assert (await web.get(path)).status_code == 404


async def test_ticks_are_told_with_what_they_started(
    web: httpx.AsyncClient, database: Database, path: str
) -> None:
    await web.put(path, json={"interval_seconds": 60})
    async with database.transaction() as tx:
        await tx.execute(table.update().values(due_at=now(), fire_at=now()))
    (tick,) = await Scheduler(database, lambda _: None).look()

    shown = (await web.get(path)).json()

    assert shown["last"] == shown["recent"][0]
    assert (shown["last"]["outcome"], shown["last"]["run_id"]) == ("started", str(tick.run))


async def test_a_held_schedule_says_what_to_do_and_goes_on_with_a_new_credential(
    web: httpx.AsyncClient, database: Database
) -> None:
    wanted = {
        "kind": "imap",
        "config": {"host": "imap.example.org"},
        "credential": {"kind": "password", "user": "ada", "password": "good"},
    }
    made = (await web.post("/v1/connections", json=wanted)).json()
    path = f"/v1/connections/{made['id']}/schedule"
    await web.put(path, json={"interval_seconds": 3600})
    async with database.transaction() as tx:
        await schedules.hold(tx, LOCAL_TENANT, ConnectionId(UUID(made["id"])), Hold.REAUTHORIZATION)

    held = (await web.get(path)).json()
    await web.post("/v1/connections", json=wanted)
    after = (await web.get(path)).json()

    assert (held["held"]["code"], held["next_at"]) == ("reauthorization", None)
    assert "Connect the account again" in held["held"]["action"]
    assert after["held"] is None
    assert after["next_at"]


async def test_how_fresh_it_is_leads_to_its_last_run_and_tells_the_next(
    web: httpx.AsyncClient, path: str
) -> None:
    await web.put(path, json={"interval_seconds": 3600})

    fresh = (await web.get(path.replace("/schedule", "/freshness"))).json()
    missing = await web.get(f"/v1/connections/{uuid4()}/freshness")

    assert fresh["next_run_at"] == (await web.get(path)).json()["next_at"]
    assert (fresh["last_success_at"], fresh["last_run"]) == (None, None)
    assert missing.status_code == 404


async def test_programs_set_schedules(served: Served, tmp_path: Path) -> None:
    async with AsyncClient(served.url) as client:
        connection = await client.connect("local", {"path": str(tmp_path)})
        kept = await client.put_schedule(connection.id, {"interval_seconds": 3600})
        paused = await client.ask_schedule(connection.id, "pause")
        shown = await client.schedule(connection.id)
        listed = [each async for each in client.schedules()]
        with pytest.raises(Invalid, match="five fields"):
            await client.put_schedule(connection.id, {"cron": "soon"})
        await client.delete_schedule(connection.id)
        with pytest.raises(NotFound):
            await client.schedule(connection.id)

    assert kept.next_at is not None
    assert (paused.paused, shown.paused, listed) == (True, True, [paused])
    assert words.schedule(kept).startswith("every 1 h · next 20")
    assert words.schedule(paused) == "every 1 h · paused"


def test_programs_without_a_loop_have_the_same() -> None:
    names = {name for name in dir(AsyncClient) if not name.startswith("_")}

    assert names - set(dir(Client)) == set()


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("15m", 900), ("6h", 21_600), (" 1d ", 86_400)]
)
def test_spans_are_typed_as_people_say_them(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "6 hours", "-5m", "1.5h", "٣h"])
def test_what_is_no_span_is_wrong_usage(text: str) -> None:
    with pytest.raises(Trouble, match="no span of time"):
        seconds(text)
