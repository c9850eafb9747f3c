"""Connecting an account through a provider, and all the ways in which somebody else tries to."""

import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text, update

from api.doors import Doors
from connectors import catalog
from connectors.fakes.grants import Provider
from connectors.fakes.oauth import serving
from connectors.locksmith import Locksmith
from connectors.oauth.settings import OAuthSettings
from storage import runs
from storage.clock import now
from storage.database import Database
from storage.events import Event, EventKind, EventLog, WaitingReason
from storage.ids import RunId
from storage.sealed import new_key
from storage.settings import StorageSettings
from storage.tables import consents
from tests import drawers
from tests.serving import app_over

HERE = "http://127.0.0.1:8420"
CALLBACK = f"{HERE}/v1/oauth/fake/callback"
EVERY = [drawers.NEEDED, drawers.WELCOME]


@dataclass
class Browser:
    """Somebody's browser. ``seen`` is all that it was ever shown."""

    http: httpx.AsyncClient
    fake: Provider
    seen: list[str] = field(default_factory=list[str])
    session: str = ""

    async def get(self, path: str) -> httpx.Response:
        answer = await self.http.get(path)
        self.seen.append(f"{answer.text} {answer.headers}")
        return answer

    async def post(self, path: str, body: object = None) -> httpx.Response:
        answer = await self.http.post(path, json=body if body is not None else {})
        self.seen.append(f"{answer.text} {answer.headers}")
        return answer

    async def open(self, url: str) -> httpx.Response:
        self.session, _, secret = urlsplit(url).fragment.partition(".")
        return await self.post(f"/connect/api/{self.session}/enter", {"secret": secret})

    async def page(self, rest: str = "") -> dict[str, Any]:
        answer = await self.get(f"/connect/api/{self.session}{rest}")
        assert answer.is_success, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def ask(self, rest: str, body: object) -> dict[str, Any]:
        answer = await self.post(f"/connect/api/{self.session}{rest}", body)
        assert answer.is_success, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def go(self) -> str:
        """To the provider's consent page. Answers the request there."""
        answer = await self.get(f"/v1/oauth/fake/start?session={self.session}")
        assert answer.status_code == 303
        asked = parse_qs(urlsplit(answer.headers["location"]).query)
        return self.fake.ask({name: values[0] for name, values in asked.items()})

    async def consent(self, *, scopes: list[str] = EVERY, verdict: str = "allow") -> str:
        """Decide there, and come back. Answers where one is then."""
        return await self.come_back(self.fake.decide(await self.go(), verdict, scopes))

    async def come_back(self, where: str) -> str:
        answer = await self.get(where)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])


@dataclass
class World:
    app: FastAPI
    fake: Provider
    database: Database
    stack: AsyncExitStack

    async def browser(self) -> Browser:
        client = httpx.AsyncClient(base_url=HERE, transport=httpx.ASGITransport(self.app))
        return Browser(await self.stack.enter_async_context(client), self.fake)

    async def link(self, **wanted: Any) -> str:
        async with httpx.AsyncClient(
            base_url=HERE, transport=httpx.ASGITransport(self.app)
        ) as program:
            body = {"owner": "ada", "kind": drawers.KIND, **wanted}
            answer = await program.post("/v1/connect-sessions", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["url"])

    async def ada(self, **wanted: Any) -> Browser:
        browser = await self.browser()
        assert (await browser.open(await self.link(**wanted))).is_success
        return browser

    async def connected(self) -> tuple[Browser, str]:
        browser = await self.ada()
        await browser.consent()
        return browser, (await browser.page())["connection"]["id"]

    @property
    def secrets(self) -> list[str]:
        return [*self.fake.access, *self.fake.refresh, self.fake.client_secret]

    async def count(self, table: str) -> int:
        async with self.database.reading() as tx:
            return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608  # ours


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Provider]:
    fake = Provider(frozenset({CALLBACK}))
    with serving(fake) as url:
        monkeypatch.syspath_prepend(str(drawers.install(tmp_path / "package")))
        for name, value in drawers.environment(url, secret=fake.client_secret).items():
            monkeypatch.setenv(name, value)
        catalog.specs.cache_clear()
        yield fake
    catalog.specs.cache_clear()


@pytest.fixture
async def world(fake: Provider, database: Database, log: EventLog) -> AsyncGenerator[World]:
    assert "tests.drawers" in sys.modules
    keys = StorageSettings(secret_keys=SecretStr(new_key()))
    opening = Doors(
        keys, Locksmith.of(OAuthSettings()), return_origins=frozenset({"https://app.example"})
    )
    app = app_over(database, log, opening=opening)
    async with app.router.lifespan_context(app), AsyncExitStack() as stack:
        yield World(app, fake, database, stack)


async def test_owner_goes_from_choosing_a_source_to_the_first_run(world: World) -> None:
    browser = await world.ada(kind=None, return_to="https://app.example/done")
    page = await browser.page()
    assert page["step"] == "choosing"
    assert drawers.KIND in [each["kind"] for each in page["sources"]]

    page = await browser.ask("/source", {"kind": drawers.KIND})
    permissions = page["source"]["consent"]["permissions"]
    assert [each["required"] for each in permissions] == [True, False]
    assert await browser.consent() == f"/connect?session={browser.session}"

    page = await browser.page()
    assert (page["step"], page["notice"]) == ("selecting", None)
    assert page["connection"]["title"] == "ada"
    scopes = await browser.page("/scopes")
    assert [each["artifacts"] for each in scopes["items"]] == [12, 5]
    plan = await browser.ask("/estimate", {"chosen": ["recipes"]})
    assert (plan["artifacts"], plan["calls"]) == (5, 1)
    assert await world.count("runs") == 0

    page = await browser.ask("/start", {"chosen": ["recipes"]})
    again = await browser.page()
    assert page == again
    assert page["step"] == "started"
    assert page["return_to"] == "https://app.example/done"
    run = (await browser.get(f"/v1/runs/{page['run_id']}")).json()
    assert run["status"] == "queued"
    connection = (await browser.get(f"/v1/connections/{run['connection_id']}")).json()
    assert connection["config"] == {"drawers": ["recipes"]}
    assert connection["credential"] == {"kind": "oauth", "needs": None}
    told = (await browser.get(f"/v1/connections/{run['connection_id']}/audit")).json()["items"]
    assert [each["action"] for each in told] == ["created", "opened", "opened"]
    assert not [secret for secret in world.secrets if secret in "".join(browser.seen)]


async def test_link_that_was_opened_elsewhere_leads_nowhere(world: World) -> None:
    link = await world.link()
    ada, mallory = await world.browser(), await world.browser()
    await ada.open(link)

    assert (await mallory.open(link)).status_code == 404
    assert (await mallory.get(f"/connect/api/{ada.session}")).status_code == 404
    assert (await ada.open(link)).is_success


async def test_way_that_somebody_else_began_cannot_be_finished_by_another(world: World) -> None:
    """Login CSRF: mallory sends ada the address that would connect mallory's account for her."""
    mallory, ada = await world.ada(), await world.ada()
    sent = world.fake.decide(await mallory.go(), "allow", EVERY)

    assert await ada.come_back(sent) == "/connect?problem=consent"
    assert await world.count("credentials") == 0
    stranger = await world.browser()
    assert await stranger.come_back(sent) == "/connect?problem=browser"


async def test_state_is_good_once(world: World) -> None:
    browser = await world.ada()
    back = world.fake.decide(await browser.go(), "allow", EVERY)
    await browser.come_back(back)

    assert await browser.come_back(back) == "/connect?problem=consent"
    assert await world.count("credentials") == 1


async def test_state_that_nobody_gave_is_refused(world: World) -> None:
    browser = await world.ada()

    for address in (f"{CALLBACK}?code=x", f"{CALLBACK}?code=x&state=guess"):
        assert (await browser.come_back(address)).startswith("/connect?problem=")


async def test_answer_of_another_provider_is_refused(world: World) -> None:
    browser = await world.ada()
    back = world.fake.decide(await browser.go(), "allow", EVERY)

    swapped = back.replace("/oauth/fake/", "/oauth/google/")
    assert await browser.come_back(swapped) == "/connect?problem=consent"
    other = httpx.URL(back).copy_set_param("iss", "https://evil.example")
    await browser.come_back(str(other))
    assert (await browser.page())["notice"]["code"] == "refused"
    assert "token authorization_code" not in world.fake.story


async def test_code_that_was_used_before_connects_nothing(world: World) -> None:
    await world.connected()
    spent = next(iter(world.fake.codes))
    another = await world.ada(owner="bob")
    back = httpx.URL(world.fake.decide(await another.go(), "allow", EVERY))

    await another.come_back(str(back.copy_set_param("code", spent)))

    assert (await another.page())["notice"]["code"] == "stale"
    assert await world.count("credentials") == 1


async def test_answer_that_comes_too_late_is_refused(world: World) -> None:
    browser = await world.ada()
    back = world.fake.decide(await browser.go(), "allow", EVERY)
    async with world.database.transaction() as tx:
        await tx.execute(update(consents).values(expires_at=now()))

    assert await browser.come_back(back) == "/connect?problem=consent"


@pytest.mark.parametrize(
    "where",
    ["https://evil.example/", "//evil.example", "https://app.example.evil.example", "data:x"],
)
async def test_page_leads_back_only_where_the_operator_allows(world: World, where: str) -> None:
    program = await world.browser()

    answer = await program.post("/v1/connect-sessions", {"owner": "ada", "return_to": where})

    assert answer.status_code == 422
    assert "HEADWATER_RETURN_ORIGINS" in answer.json()["detail"]


async def test_who_denies_is_told_that_nothing_was_connected(world: World) -> None:
    browser = await world.ada()

    await browser.consent(verdict="deny")

    page = await browser.page()
    assert page["step"] == "consenting"
    assert page["notice"]["message"].startswith("You did not allow Headwater to read")
    assert await world.count("connections") == 0


async def test_who_comes_back_without_deciding_is_told_so_and_may_still_decide(
    world: World,
) -> None:
    browser = await world.ada()
    request = await browser.go()

    page = await browser.page()
    shown = await browser.get(f"/connect/api/{browser.session}")
    await browser.come_back(world.fake.decide(request, "allow", EVERY))

    assert shown.headers["cache-control"] == "no-store"
    assert page["notice"]["message"].startswith("You left Drawers before you decided")
    assert (await browser.page())["step"] == "selecting"


async def test_who_leaves_out_what_is_needed_is_told_what_and_the_rest_is_handed_back(
    world: World,
) -> None:
    browser = await world.ada()

    await browser.consent(scopes=[drawers.WELCOME])

    page = await browser.page()
    assert page["step"] == "consenting"
    assert "“Read the notes in your drawers”" in page["notice"]["message"]
    assert world.fake.story[-1] == "revoked"
    assert await world.count("credentials") == 0


async def test_who_leaves_out_what_is_welcome_goes_on_and_is_told_without_what(
    world: World,
) -> None:
    browser = await world.ada()

    await browser.consent(scopes=[drawers.NEEDED])

    page = await browser.page()
    assert page["step"] == "selecting"
    assert "“See how you labelled them”" in page["notice"]["message"]


async def test_provider_that_is_out_connects_nothing_and_is_told(world: World) -> None:
    browser = await world.ada()
    world.fake.control({"fail": 503})

    await browser.consent()

    assert (await browser.page())["notice"]["code"] == "away"
    assert await world.count("connections") == 0


async def test_two_tabs_may_both_go_and_the_connection_is_one(world: World) -> None:
    browser = await world.ada()
    first, second = await browser.go(), await browser.go()

    await browser.come_back(world.fake.decide(second, "allow", EVERY))
    late = await browser.come_back(world.fake.decide(first, "allow", EVERY))

    assert late == "/connect?problem=consent"
    assert await world.count("connections") == await world.count("credentials") == 1


async def test_account_that_is_connected_again_is_the_same_connection(world: World) -> None:
    _, first = await world.connected()
    _, second = await world.connected()

    assert first == second


async def test_another_account_is_not_taken_for_the_one_that_was_connected(world: World) -> None:
    _, connection = await world.connected()
    world.fake.user = "mallory"
    browser = await world.ada(connection_id=connection)

    await browser.consent()

    assert (await browser.page())["notice"]["code"] == "another_account"
    assert world.fake.story[-1] == "revoked"


async def test_consent_given_again_wakes_what_waited_for_it(world: World) -> None:
    first, connection = await world.connected()
    run = RunId((await first.post(f"/v1/connections/{connection}/runs")).json()["run"]["id"])
    await parked(world.database)
    browser = await world.ada(connection_id=connection)

    await browser.consent()

    page = await browser.page()
    assert (page["step"], page["notice"]["code"]) == ("started", "reconnected")
    assert page["run_id"] == str(run)
    assert (await browser.get(f"/v1/runs/{run}")).json()["status"] == "queued"


async def test_connection_of_somebody_else_cannot_be_consented_to(world: World) -> None:
    _, connection = await world.connected()
    program = await world.browser()

    body = {"owner": "mallory", "connection_id": connection}
    answer = await program.post("/v1/connect-sessions", body)

    assert answer.status_code == 404


async def test_disconnecting_revokes_the_grant_and_deletes_the_credential(world: World) -> None:
    browser, connection = await world.connected()

    answer = await browser.http.delete(f"/v1/connections/{connection}/credential")
    again = await browser.http.delete(f"/v1/connections/{connection}/credential")

    assert answer.json() == {"deleted": True, "revoked": True}
    assert again.json() == {"deleted": False, "revoked": False}
    assert all(grant.over for grant in world.fake.refresh.values())
    told = (await browser.get(f"/v1/connections/{connection}/audit")).json()["items"]
    assert [each["action"] for each in told][-2:] == ["revoked", "deleted"]


async def test_token_given_directly_is_kept_and_never_answered(world: World) -> None:
    program = await world.browser()
    given: Mapping[str, Any] = {
        "kind": drawers.KIND,
        "config": {},
        "credential": {"kind": "token", "token": "canary"},
    }

    made = await program.post("/v1/connections", given)
    listed = await program.get("/v1/connections")

    assert made.json()["credential"] == {"kind": "token", "needs": None}
    assert listed.is_success
    assert "canary" not in "".join(program.seen)
    assert await world.count("credentials") == 1


@pytest.mark.parametrize(
    "credential",
    [
        {"kind": "password", "user": "ada", "password": "canary"},
        {"kind": "token", "tokn": "canary"},
        {"kind": "oauth", "access_token": "canary"},
        "canary",
    ],
)
async def test_credential_that_is_not_taken_is_refused_without_repeating_it(
    world: World, credential: object
) -> None:
    program = await world.browser()

    body = {"kind": drawers.KIND, "config": {}, "credential": credential}
    answer = await program.post("/v1/connections", body)

    assert answer.status_code == 422
    assert "canary" not in answer.text
    assert await world.count("connections") == 0


async def test_token_that_does_not_open_is_told_on_the_page_before_it_is_kept(
    world: World,
) -> None:
    browser = await world.ada()

    body = {"config": {}, "credential": {"kind": "token", "token": "canary"}}
    answer = await browser.post(f"/connect/api/{browser.session}/connection", body)

    assert answer.status_code == 422
    assert "Drawers does not accept the credential" in answer.json()["detail"]
    assert await world.count("connections") == await world.count("credentials") == 0


async def parked(database: Database) -> None:
    """A worker takes the run, and finds that the grant is dead."""
    async with database.transaction() as tx:
        for run in await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=1):
            await runs.park(tx, run.id, run.attempt, until=None)
            reason = {"code": WaitingReason.REAUTHORIZATION, "message": "", "action": ""}
            event = Event(
                kind=EventKind.WAITING, at=now(), attempt=run.attempt, patch={"reason": reason}
            )
            await runs.record(tx, run.id, event)
