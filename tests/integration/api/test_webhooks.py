"""Webhooks over HTTP: registered, tried, looked at, and told again."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.doors import Doors
from connectors.egress import Exceptions
from storage import webhooks
from storage.clock import now
from storage.database import Database
from storage.ids import LOCAL_TENANT
from storage.settings import StorageSettings
from storage.streams.memory import MemoryEventLog
from storage.webhooks import MOST
from tests.hooked import KEY, KEYRING, LOOPBACK, courier
from tests.receiver import Receiver, Reply, receiving
from tests.serving import asking

URL = "https://app.example.com/headwater"
PATH = "/v1/webhooks"


def doors(egress: Exceptions) -> Doors:
    return Doors(StorageSettings(secret_keys=SecretStr(KEY)), egress=egress)


@pytest.fixture
async def web(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """An api whose operator allows loopback."""
    async with asking(database, MemoryEventLog(), opening=doors(LOOPBACK)) as web:
        yield web


@dataclass
class Heard:
    """A receiver that is registered."""

    web: httpx.AsyncClient
    database: Database
    receiver: Receiver
    made: dict[str, Any]

    @property
    def path(self) -> str:
        return f"{PATH}/{self.made['id']}"

    async def test(self) -> dict[str, Any]:
        """Ask for a test, and let a worker send it."""
        asked = await self.web.post(f"{self.path}/test")
        assert asked.status_code == 202
        await courier(self.database).look()
        answer: dict[str, Any] = asked.json()
        return answer

    async def deliveries(self, status: str = "") -> list[dict[str, Any]]:
        query = {"status": status} if status else {}
        answer = await self.web.get(f"{self.path}/deliveries", params=query)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest.fixture
async def heard(web: httpx.AsyncClient, database: Database) -> AsyncGenerator[Heard]:
    async with receiving() as (receiver, url):
        made = await web.post(PATH, json={"url": url})
        yield Heard(web, database, receiver, made.json())


async def test_a_secret_is_shown_once(web: httpx.AsyncClient) -> None:
    made = await web.post(PATH, json={"url": URL, "events": ["run.failed"]})
    listed, shown = await web.get(PATH), await web.get(made.headers["location"])

    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    secret = made.json().pop("secret")
    assert secret.startswith("whsec_")
    assert len(secret) == len("whsec_") + 44
    assert shown.json() == {key: made.json()[key] for key in made.json() if key != "secret"}
    assert listed.json()["items"] == [shown.json()]
    assert shown.json()["events"] == ["run.failed"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://app.example.com/", "invalid_request"),
        ("app.example.com", "invalid_request"),
        ("https://", "invalid_request"),
        ("https://ada:secret@app.example.com/", "invalid_request"),
        ("https://app.example.com/#part", "invalid_request"),
        ("https://app.example.com/\0", "invalid_request"),
        ("https://app.example.com:99999999/", "invalid_request"),
        ("https://app.example.com:0/", "invalid_request"),
        (f"https://app.example.com/{'a' * 2_000}", "invalid_request"),
        ("http://app.example.com/", "webhook_refused"),
        ("https://app.example.com:25/", "webhook_refused"),
        ("https://127.0.0.1/", "webhook_refused"),
        ("https://[::1]/", "webhook_refused"),
        ("https://169.254.169.254/latest", "webhook_refused"),
        ("https://8.8.8.8:25/", "webhook_refused"),
    ],
)
async def test_where_nothing_may_be_told_nothing_is_registered(
    database: Database, url: str, code: str
) -> None:
    async with asking(database, MemoryEventLog(), opening=doors(Exceptions())) as web:
        there = (await web.post(PATH, json={"url": URL})).json()
        refused = await web.post(PATH, json={"url": url})
        unchanged = await web.put(f"{PATH}/{there['id']}", json={"url": url})
        listed = await web.get(PATH)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (unchanged.status_code, unchanged.json()["code"]) == (422, code)
    assert [each["url"] for each in listed.json()["items"]] == [URL]


@pytest.mark.parametrize(
    "wanted",
    [
        {"events": []},
        {"events": ["run.exploded"]},
        {"events": ["webhook.test"]},
        {"description": "a" * 201},
        {"secret": "mine"},
    ],
)
async def test_what_cannot_be_asked_for_is_refused(
    web: httpx.AsyncClient, wanted: dict[str, Any]
) -> None:
    refused = await web.post(PATH, json={"url": URL, **wanted})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_a_tenant_has_so_many_and_no_more(web: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction() as tx:
        for _ in range(MOST):
            await webhooks.create(tx, KEYRING, LOCAL_TENANT, url=URL)

    refused = await web.post(PATH, json={"url": URL})

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")


async def test_a_test_comes_through_and_is_seen(heard: Heard) -> None:
    asked = await heard.test()

    [delivery] = await heard.deliveries()
    [told] = heard.receiver.told
    assert (asked["status"], asked["event"]) == ("pending", "webhook.test")
    assert (delivery["id"], delivery["status"]) == (asked["id"], "delivered")
    assert (delivery["answered"], delivery["attempts"]) == (204, 1)
    assert told.headers["webhook-id"] == asked["message_id"]
    assert (await heard.web.get(heard.path)).json()["delivered_at"]


async def test_two_secrets_sign_after_a_rotation_and_one_if_it_leaked(heard: Heard) -> None:
    rotated = await heard.web.post(f"{heard.path}/rotate", json={})
    await heard.test()
    leaked = await heard.web.post(f"{heard.path}/rotate", json={"overlap_hours": 0})
    await heard.test()

    signed = [each.headers["webhook-signature"].split() for each in heard.receiver.told]
    secrets = {heard.made["secret"], rotated.json()["secret"], leaked.json()["secret"]}
    assert len(secrets) == 3
    assert [len(each) for each in signed] == [2, 1]


async def test_what_failed_is_replayed_one_by_one_or_all_at_once(heard: Heard) -> None:
    heard.receiver.replies += [Reply(500), Reply(500), Reply(500)]
    for _ in range(3):
        await heard.web.post(f"{heard.path}/test")
    await courier(heard.database).look()
    await disable(heard)
    failed = await heard.deliveries("failed")
    refused = await heard.web.post(f"{heard.path}/test")
    await heard.web.put(heard.path, json={"url": heard.made["url"]})

    one = await heard.web.post(f"{heard.path}/deliveries/{failed[0]['id']}/replay")
    since = (now() - timedelta(hours=1)).isoformat()
    rest = await heard.web.post(f"{heard.path}/replay", json={"since": since})
    later = (now() + timedelta(hours=1)).isoformat()
    none = await heard.web.post(f"{heard.path}/replay", json={"since": later})
    before = len(heard.receiver.told)
    await courier(heard.database).look()

    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    assert len(failed) == 3
    assert (one.status_code, one.json()["status"]) == (202, "pending")
    assert [each.json()["replayed"] for each in (rest, none)] == [2, 0]
    assert {each["status"] for each in await heard.deliveries()} == {"delivered"}
    assert set(heard.receiver.ids[before:]) == {each["message_id"] for each in failed}


@pytest.mark.parametrize("since", ["2026-11-01T00:00:00", "0001-01-01T00:00:00+14:00", "ever"])
async def test_what_is_no_moment_is_refused(heard: Heard, since: str) -> None:
    refused = await heard.web.post(f"{heard.path}/replay", json={"since": since})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def disable(heard: Heard) -> None:
    off = await heard.web.put(heard.path, json={"url": heard.made["url"], "enabled": False})
    assert (off.json()["enabled"], off.json()["disabled_for"]) == (False, "asked")


async def test_what_was_delivered_can_be_replayed_and_once_by_one_idempotency_key(
    heard: Heard,
) -> None:
    asked = await heard.test()
    path = f"{heard.path}/deliveries/{asked['id']}/replay"
    first = await heard.web.post(path, headers={"Idempotency-Key": "again"})
    await courier(heard.database).look()
    second = await heard.web.post(path, headers={"Idempotency-Key": "again"})
    await courier(heard.database).look()

    assert first.json() == second.json()
    assert heard.receiver.ids == [asked["message_id"]] * 2


async def test_one_that_is_deleted_is_told_nothing_more(heard: Heard) -> None:
    await heard.web.post(f"{heard.path}/test")

    gone, twice = await heard.web.delete(heard.path), await heard.web.delete(heard.path)
    await courier(heard.database).look()

    assert (gone.status_code, twice.status_code) == (204, 404)
    assert heard.receiver.told == []
    assert (await heard.web.get(PATH)).json()["items"] == []


async def test_lists_come_page_by_page(heard: Heard) -> None:
    for _ in range(3):
        await heard.web.post(f"{heard.path}/test")
        await heard.web.post(PATH, json={"url": URL})

    for path, number in ((PATH, 4), (f"{heard.path}/deliveries", 3)):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while len(seen) <= number:
            page = (await heard.web.get(path, params={"limit": "2", **cursor})).json()
            seen += [each["id"] for each in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == sorted(set(seen), reverse=True)
        assert len(seen) == number
