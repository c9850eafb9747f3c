"""What one tenant may ask, at the door of a real app."""

from uuid import uuid4

import httpx
import pytest

from api.quotas import Quotas
from api.settings import Share
from storage import keys, tenants
from storage.database import Database
from storage.events import EventLog
from storage.ids import LOCAL_TENANT, TenantId
from tests.serving import Story, app_over, asking, serving
from tests.waiting import wait_until


async def key_of(database: Database, name: str) -> dict[str, str]:
    tenant = TenantId(uuid4())
    async with database.transaction() as tx:
        await tenants.ensure(tx, tenant, name=name)
        _, secret = await keys.make(tx, tenant, name="k")
    return {"Authorization": f"Bearer {secret}"}


async def test_who_asks_too_much_is_told_and_others_get_theirs(
    database: Database, log: EventLog
) -> None:
    greedy, modest = [await key_of(database, name) for name in ("greedy", "modest")]
    quotas = Quotas(Share(a_minute=3))
    async with asking(database, log, asks_for_keys=True, quotas=quotas) as web:
        answers = [await web.get("/v1/runs", headers=greedy) for _ in range(4)]
        other = await web.get("/v1/runs", headers=modest)

    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert [each.headers["ratelimit"].split(";")[1] for each in answers] == [
        "r=2",
        "r=1",
        "r=0",
        "r=0",
    ]
    assert answers[-1].json()["code"] == "too_many_requests"
    assert answers[-1].json()["retryable"]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 20
    assert other.status_code == 200


async def test_what_was_refused_or_went_wrong_gives_its_place_back(
    database: Database, log: EventLog
) -> None:
    headers = await key_of(database, "acme")
    quotas = Quotas(Share(at_once=1))
    async with asking(database, log, asks_for_keys=True, quotas=quotas) as web:
        for path in ("/v1/runs/nothing", "/v1/runs?limit=0", "/v1/deployment", "/v1/runs"):
            answer = await web.get(path, headers=headers)
            assert answer.status_code != 429, path
            assert "ratelimit" in answer.headers


async def test_a_server_at_its_limit_says_so_at_once_and_still_lives(
    database: Database, log: EventLog
) -> None:
    app = app_over(database, log, at_once=0)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            base_url="http://127.0.0.1:8420", transport=httpx.ASGITransport(app)
        ) as web,
    ):
        answer = await web.get("/v1/runs")
        live = await web.get("/livez")

    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert live.status_code == 200


async def test_a_stream_that_its_reader_left_makes_room_for_another(
    database: Database, log: EventLog, story: Story
) -> None:
    async with database.transaction() as tx:
        _, secret = await keys.make(tx, LOCAL_TENANT, name="k")
    shown = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
    path = f"/v1/runs/{story.run}/events"
    quotas = Quotas(Share(at_once=1, streams=1))
    async with (
        serving(database, log, asks_for_keys=True, quotas=quotas) as served,
        httpx.AsyncClient(base_url=served.url, headers=shown, trust_env=False) as client,
    ):
        async with client.stream("GET", path) as first:
            second = await client.get(path)
            beside = await client.get(f"/v1/runs/{story.run}")
        await wait_until(lambda: served.services.hub.listeners == 0)
        async with client.stream("GET", path) as third:
            pass

    assert (first.status_code, second.status_code, third.status_code) == (200, 429, 200)
    assert beside.status_code == 200


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/connectors"])
async def test_one_machine_is_not_counted(database: Database, log: EventLog, path: str) -> None:
    async with asking(database, log, quotas=Quotas(Share(a_minute=1))) as web:
        answers = [await web.get(path) for _ in range(3)]

    assert {each.status_code for each in answers} == {200}
