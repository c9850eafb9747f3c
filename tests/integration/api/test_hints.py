"""Hints over HTTP: from anybody, believed of those who sign, answered at once."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.doors import Doors
from connectors.github.fake.hooks import Delivery, Hooks
from connectors.hearing import HintSettings
from pipelines.hinting import Hinting
from storage import connections, hints, runs, tenants
from storage.clock import shared_now
from storage.connections import Connection
from storage.database import Database, Tx
from storage.events import EventKind, EventLog
from storage.hints import SETTLE, Hinted
from storage.ids import LOCAL_TENANT, RunId
from tests import hub, pushing
from tests.asked import event, recorded
from tests.pushing import push
from tests.serving import asking, doors

SECRET = "the secret of the tests"  # noqa: S105  # of a test
SETTINGS = HintSettings(github_webhook_secret=SecretStr(SECRET))
GITHUB, GMAIL = "/v1/hints/github", "/v1/hints/gmail"


@pytest.fixture
async def told(database: Database, log: EventLog) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an api that knows GitHub's secret, and asks everybody else for keys."""
    async with asking(database, log, asks_for_keys=True, hinting=SETTINGS) as client:
        yield client


@pytest.fixture
async def thing(database: Database) -> Connection:
    """A connection to the repository, ingested once."""
    return await connected(database, "github", {"repositories": [hub.NAME]})


@pytest.fixture
def hooks() -> Hooks:
    fake = hub.fake()
    fake.world.add_repo(hub.NAME, {"a.md": b"a"})
    return Hooks(fake.world, SECRET.encode())


async def connected(
    database: Database, kind: str, config: Mapping[str, Any], account: str | None = None
) -> Connection:
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        made, _ = await connections.connect(
            tx, LOCAL_TENANT, owner="ada", kind=kind, title="", config=config, account=account
        )
        run, _ = await runs.request(tx, LOCAL_TENANT, connection=made, workflow="ingest", input={})
    await recorded(database, run.id, event(EventKind.SUCCEEDED, attempt=0))
    return made


def pushed(hooks: Hooks, **about: Any) -> Delivery:
    return hooks.delivery("push", hooks.world.repos[hub.NAME], **about)


async def send(client: httpx.AsyncClient, it: Delivery) -> httpx.Response:
    return await client.post(GITHUB, headers=dict(it.headers), content=it.body)


async def hinted(database: Database, connection: Connection) -> Hinted | None:
    async with database.reading() as tx:
        return await hints.get(tx, LOCAL_TENANT, connection.id)


async def pending(database: Database, connection: Connection) -> int:
    it = await hinted(database, connection)
    return 0 if it is None else it.pending


async def test_a_storm_of_a_thousand_is_answered_and_is_one_run(
    told: httpx.AsyncClient, database: Database, thing: Connection, hooks: Hooks
) -> None:
    storm = [pushed(hooks, number=number) for number in range(1_000)]

    answers = await asyncio.gather(*(send(told, each) for each in storm))
    kept = await pending(database, thing)
    led = await looked(database)

    assert {answer.status_code for answer in answers} == {202}
    assert kept == 1_000
    assert len(led) == 1


async def looked(database: Database) -> list[RunId]:
    """What workers start when the hints have settled."""

    async def later(tx: Tx) -> datetime:
        return await shared_now(tx) + SETTLE

    workers = [Hinting(database, {}, lambda _: None, later) for _ in range(3)]
    return [run for each in workers for run in await each.look()]


async def test_forged_and_repeated_hints_change_nothing(
    told: httpx.AsyncClient, database: Database, thing: Connection, hooks: Hooks
) -> None:
    it = pushed(hooks)
    other = json.dumps(json.loads(it.body), indent=1).encode()

    forged = await send(told, Delivery(it.headers, other))
    unsigned = await send(told, Delivery({"Content-Type": "application/json"}, it.body))
    before = await pending(database, thing)
    answers = [
        await send(told, it),
        await send(told, it),
        await send(told, Delivery({**it.headers, "X-GitHub-Delivery": "another"}, it.body)),
    ]

    assert [each.status_code for each in (forged, unsigned)] == [403, 403]
    assert (forged.json()["code"], before) == ("forged", 0)
    assert SECRET not in forged.text
    assert {(each.status_code, each.content) for each in answers} == {(202, b"")}
    assert await pending(database, thing) == 1


async def test_a_ping_and_what_concerns_nobody_are_answered_as_what_concerns_somebody(
    told: httpx.AsyncClient, database: Database, thing: Connection, hooks: Hooks
) -> None:
    repo = hooks.world.repos[hub.NAME]
    elsewhere = hooks.world.add_repo("else/where", {"a.md": b"a"})
    answers = [
        await send(told, hooks.ping(repo)),
        await send(told, hooks.delivery("push", elsewhere)),
        await send(told, hooks.signed("push", b"no json")),
    ]
    before = await hinted(database, thing)
    answers.append(await send(told, pushed(hooks)))

    assert {(each.status_code, each.content) for each in answers} == {(202, b"")}
    assert before is None
    assert await pending(database, thing) == 1


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    told: httpx.AsyncClient, hooks: Hooks
) -> None:
    it = pushed(hooks)
    read = 0

    async def body() -> AsyncGenerator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 100_000
            yield b" " * 100_000

    said = {**it.headers, "Content-Length": "100000000"}
    announced = await told.post(GITHUB, headers=said, content=b"{}")
    unannounced = await told.post(GITHUB, headers=dict(it.headers), content=body())

    assert [each.status_code for each in (announced, unannounced)] == [413, 413]
    assert read < 2_000_000


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        (GITHUB, "HEADWATER_GITHUB_WEBHOOK_SECRET"),
        (GMAIL, "HEADWATER_GMAIL_PUSH_AUDIENCE and HEADWATER_GMAIL_PUSH_ACCOUNT"),
        ("/v1/hints/local", "No hints of the kind"),
        ("/v1/hints/nothing", "No hints of the kind"),
    ],
)
async def test_what_is_not_set_is_not_there_and_says_what_to_set(
    web: httpx.AsyncClient, path: str, setting: str
) -> None:
    answer = await web.post(path, json={})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert setting in answer.json()["detail"]


async def test_pushes_of_gmail_are_believed_of_google_alone(
    database: Database, log: EventLog
) -> None:
    mail = await connected(database, "gmail", {}, "ann@example.org")
    opening: Doors = replace(doors(), egress=hub.LOOPBACK)
    body = push("ann@example.org", 7)
    async with pushing.google() as google:
        google.away = True
        async with asking(database, log, opening=opening, hinting=google.settings) as client:
            early = await client.post(GMAIL, headers=google.headers(), content=body)
    async with (
        pushing.google() as google,
        asking(database, log, opening=opening, hinting=google.settings) as client,
    ):
        good = await client.post(GMAIL, headers=google.headers(), content=body)
        again = await client.post(GMAIL, headers=google.headers(), content=body)
        stranger = await client.post(
            GMAIL, headers=google.headers(), content=push("eve@example.org", 8)
        )
        forged = await client.post(
            GMAIL, headers=google.headers(key=2), content=push("ann@example.org", 9)
        )

    assert early.status_code == 503
    assert {(each.status_code, each.content) for each in (good, again, stranger)} == {(202, b"")}
    assert forged.json()["code"] == "forged"
    assert await pending(database, mail) == 1


async def test_how_fresh_a_connection_is_tells_of_hints(
    database: Database, log: EventLog, thing: Connection, hooks: Hooks
) -> None:
    path = f"/v1/connections/{thing.id}/freshness"
    async with asking(database, log, hinting=SETTINGS) as client:
        before = (await client.get(path)).json()
        await send(client, pushed(hooks))
        after = (await client.get(path)).json()

    assert (before["last_hint_at"], before["pending_hints"]) == (None, 0)
    assert after["last_hint_at"]
    assert after["pending_hints"] == 1
