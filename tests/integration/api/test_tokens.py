"""What browsers hold: a token of a quarter of an hour, a ticket for one stream, and never a key."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from storage import keys
from storage.database import Database
from storage.events import EventLog
from storage.ids import LOCAL_TENANT
from storage.scopes import Scope
from tests.serving import Story, asking

PAGE = "https://app.example.com"
HERE = "http://127.0.0.1:8420"
JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Product:
    """A customer's server, which has a key, and its pages, which have tokens."""

    web: httpx.AsyncClient
    key: str
    prefix: str

    async def gives(self, **wanted: Any) -> httpx.Response:
        body = {"owner": "ada", "scopes": ["runs:read"], "origin": PAGE, **wanted}
        shown = {"Authorization": f"Bearer {self.key}"}
        return await self.web.post("/v1/client-tokens", json=body, headers=shown)

    async def token(self, **wanted: Any) -> str:
        answer = await self.gives(**wanted)
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    async def page(
        self, path: str, token: str, *, method: str = "GET", origin: str | None = PAGE, **more: str
    ) -> httpx.Response:
        headers = {**JSON, "Authorization": f"Bearer {token}", **more}
        if origin is not None:
            headers["Origin"] = origin
        return await self.web.request(method, path, headers=headers)


@pytest.fixture
async def product(database: Database, log: EventLog, story: Story) -> AsyncGenerator[Product]:
    async with asking(
        database, log, asks_for_keys=True, origins=frozenset({PAGE, "https://other.example.com"})
    ) as web:
        async with database.transaction() as tx:
            key, secret = await keys.make(tx, LOCAL_TENANT, name="server")
        yield Product(web, secret, key.prefix)


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


async def test_a_page_follows_its_owners_run(product: Product, story: Story) -> None:
    token = await product.token()

    shown = await product.page(f"/v1/runs/{story.run}/events", token)

    assert shown.json()["frames"][0]["type"] == "snapshot"
    assert shown.headers["access-control-allow-origin"] == PAGE
    assert "Origin" in shown.headers["vary"]
    assert "access-control-allow-credentials" not in shown.headers


@pytest.mark.parametrize("origin", ["https://other.example.com", None])
async def test_a_token_is_good_in_pages_of_its_origin_alone(
    product: Product, story: Story, origin: str | None
) -> None:
    token = await product.token()

    shown = await product.page(f"/v1/runs/{story.run}", token, origin=origin)

    assert code(shown) == (401, "unauthenticated")


async def test_our_own_page_says_no_origin_and_is_known_all_the_same(
    product: Product, story: Story
) -> None:
    token = await product.token(origin=HERE)

    mine = await product.page(
        f"/v1/runs/{story.run}", token, origin=None, **{"Sec-Fetch-Site": "same-origin"}
    )
    elsewhere = await product.page(f"/v1/runs/{story.run}", token)

    assert mine.status_code == 200
    assert code(elsewhere) == (401, "unauthenticated")


async def test_a_token_sees_its_owner_and_nobody_else(product: Product, story: Story) -> None:
    eves = await product.token(owner="eve", scopes=["runs:read", "connections:read"])

    run = await product.page(f"/v1/runs/{story.run}", eves)
    listed = await product.page("/v1/connections", eves)

    assert code(run) == (404, "not_found")
    assert listed.json()["items"] == []


async def test_a_token_for_some_runs_is_for_nothing_else(product: Product, story: Story) -> None:
    token = await product.token(run_ids=[str(story.run)])

    own = await product.page(f"/v1/runs/{story.run}", token)
    every = await product.page("/v1/runs", token)

    assert own.status_code == 200
    assert code(every) == (403, "not_allowed")


async def test_a_token_does_what_it_was_given_for_and_no_more(
    product: Product, story: Story
) -> None:
    reads = await product.token()
    writes = await product.token(scopes=["runs:read", "runs:write"])
    path = f"/v1/runs/{story.run}/pause"

    refused = await product.page(path, reads, method="POST")
    paused = await product.page(path, writes, method="POST")

    assert code(refused) == (403, "not_allowed")
    assert paused.status_code == 202


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"scopes": ["tokens:write"]}, 422),
        ({"scopes": ["deployment:write"]}, 422),
        ({"scopes": []}, 422),
        ({"origin": "*"}, 422),
        ({"origin": "https://app.example.com/path"}, 422),
        ({"run_ids": ["00000000-0000-7000-8000-000000000099"]}, 404),
    ],
)
async def test_what_no_page_may_have_is_not_given(
    product: Product, wanted: dict[str, Any], status: int
) -> None:
    assert (await product.gives(**wanted)).status_code == status


async def test_a_run_of_another_owner_is_not_given(product: Product, story: Story) -> None:
    answer = await product.gives(owner="eve", run_ids=[str(story.run)])

    assert code(answer) == (404, "not_found")


async def test_nobody_gives_what_they_may_not_do_themselves(
    product: Product, database: Database, story: Story
) -> None:
    async with database.transaction() as tx:
        _, small = await keys.make(tx, LOCAL_TENANT, name="small", scopes={Scope.TOKENS_WRITE})

    answer = await Product(product.web, small, "").gives()

    assert code(answer) == (403, "not_allowed")


async def test_who_has_lost_the_key_has_lost_its_tokens(
    product: Product, database: Database, story: Story
) -> None:
    token = await product.token()
    async with database.transaction() as tx:
        await keys.revoke(tx, product.prefix)

    assert code(await product.page(f"/v1/runs/{story.run}", token)) == (401, "unauthenticated")


async def test_a_key_in_a_page_is_refused_and_the_page_told_why(
    product: Product, story: Story
) -> None:
    answer = await product.page(f"/v1/runs/{story.run}", product.key)

    assert code(answer) == (403, "not_allowed")
    assert "Revoke it" in answer.json()["detail"]


async def test_a_token_in_a_url_opens_nothing(product: Product, story: Story) -> None:
    token = await product.token()

    for name in ("ticket", "token", "access_token"):
        path = f"/v1/runs/{story.run}/events?{name}={token}"
        answer = await product.web.get(path, headers={**JSON, "Origin": PAGE})
        assert code(answer) == (401, "unauthenticated")


async def test_a_ticket_opens_one_stream_of_its_run_once(product: Product, story: Story) -> None:
    token = await product.token()
    made = await product.page(f"/v1/runs/{story.run}/ticket", token, method="POST")
    query = f"?ticket={made.json()['ticket']}"
    page = {**JSON, "Origin": PAGE}

    elsewhere = await product.web.get(f"/v1/runs/{story.run}{query}", headers=page)
    first = await product.web.get(f"/v1/runs/{story.run}/events{query}", headers=page)
    second = await product.web.get(f"/v1/runs/{story.run}/events{query}", headers=page)

    assert code(elsewhere) == (401, "unauthenticated")
    assert first.status_code == 200
    assert code(second) == (401, "unauthenticated")


async def test_a_ticket_is_of_no_use_to_another_origin(product: Product, story: Story) -> None:
    token = await product.token()
    made = await product.page(f"/v1/runs/{story.run}/ticket", token, method="POST")
    path = f"/v1/runs/{story.run}/events?ticket={made.json()['ticket']}"

    answer = await product.web.get(path, headers={**JSON, "Origin": "https://other.example.com"})

    assert code(answer) == (401, "unauthenticated")


async def test_a_browser_is_told_before_what_its_page_may_send(
    product: Product, story: Story
) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}

    allowed = await product.web.options(f"/v1/runs/{story.run}/pause", headers=asked)
    strange = await product.web.options(
        f"/v1/runs/{story.run}/pause", headers={**asked, "Origin": "https://evil.example.com"}
    )
    pages_own = await product.web.options("/connect/api/x/start", headers=asked)

    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    assert code(strange) == (403, "foreign_origin")
    assert code(pages_own) == (403, "foreign_origin")


async def test_also_on_one_machine_a_page_of_elsewhere_needs_a_token(
    database: Database, log: EventLog, story: Story
) -> None:
    async with asking(database, log, origins=frozenset({PAGE})) as web:
        bare = await web.get(f"/v1/runs/{story.run}", headers={"Origin": PAGE})
        given = await web.post(
            "/v1/client-tokens", json={"owner": "ada", "scopes": ["runs:read"], "origin": PAGE}
        )
        shown = {"Authorization": f"Bearer {given.json()['token']}", "Origin": PAGE}
        with_token = await web.get(f"/v1/runs/{story.run}", headers=shown)

    assert code(bare) == (401, "unauthenticated")
    assert with_token.status_code == 200
