"""Every route of the app, asked by everybody: who may, who may not, and who must not even know.

The matrix is made from the routes themselves: one that is new is in it, and one that does not say
what it needs keeps the app from being made.
"""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import SecretStr

from api.app import ROOMS
from api.doors import Doors
from api.needs import Needs, OpenToAll, Undeclared, declared, needs
from storage import (
    connecting,
    connections,
    deletions,
    erasing,
    keys,
    runs,
    schedules,
    webhooks,
    workflows,
)
from storage.clock import now
from storage.connections import Connection
from storage.database import Database
from storage.deletions import Doubt
from storage.ids import TenantId
from storage.schedules import Cadence
from storage.scopes import OF_OWNERS, Scope
from storage.sealed import Keyring, new_key
from storage.settings import StorageSettings
from storage.streams.memory import MemoryEventLog
from storage.webhooks import replaying
from storage.workflows import Published
from tests.indexed import Library
from tests.serving import asking

ORIGIN = "https://app.example.com"
ROUTES = list(declared(room.router for room in ROOMS))
BODIES: Mapping[str, dict[str, Any]] = {
    "connect": {"kind": "local", "config": {"path": "/notes"}, "owner": "ada"},
    "set_profile": {"instructions": "Say it short."},
    "begin_connecting": {"owner": "ada"},
    "set_budgets": {"month_usd": 5},
    "set_run_budget": {"usd": 5},
    "deploy": {"activate": "1", "force": True},
    "start_workflow": {"topic": "tea"},
    "run_workflow": {"topic": "tea"},
    "answer_run": {"question": "which", "answer": {}},
    "put_schedule": {"interval_seconds": 3_600},
    "create_webhook": {"url": "https://app.example.com/headwater"},
    "change_webhook": {"url": "https://app.example.com/headwater"},
    "replay_failed": {"since": "2026-11-01T00:00:00Z"},
    "create_key": {"name": "search", "scopes": ["runs:read"]},
    "give_token": {"owner": "ada", "scopes": ["runs:read"], "origin": ORIGIN},
}
HERE = Path(__file__).parent
SECRET_KEY = new_key()
KEYRING = Keyring.parse(SECRET_KEY)
QUERIES: Mapping[str, str] = {
    "search": "q=lease",
    "follow_owner": "owner=ada",
    "export_owner": "owner=ada",
}
WITH: Mapping[Scope, tuple[Scope, ...]] = {
    Scope.TOKENS_WRITE: (Scope.RUNS_READ,),  # nobody gives away what is not theirs
    Scope.KEYS_WRITE: (Scope.RUNS_READ,),
}
AND: Mapping[str, tuple[Scope, ...]] = {
    "export_owner": (Scope.CONNECTIONS_READ, Scope.RUNS_READ),  # it has what all of them show
}
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b\d+\.")


@dataclass(frozen=True, slots=True)
class Asked:
    """A route, ready to be asked."""

    name: str
    method: str
    template: str
    need: Needs

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def names_things(self) -> bool:
        return any(f"{{{each}}}" in self.template for each in ("connection_id", "run_id"))


def guarded() -> Iterator[Asked]:
    for route, need in ROUTES:
        if isinstance(need, Needs):
            for method in route.methods or ():
                yield Asked(route.operation_id or route.name, method, route.path, need)


ENDS = ("revoke_key", "delete_schedule", "delete_webhook", "erase_connection")
GUARDED = sorted(guarded(), key=lambda each: each.name in ENDS and 1 + ENDS.index(each.name))
"""What ends all that the others are about comes last."""


@dataclass(frozen=True, slots=True)
class World:
    """``ids`` are of ada's things; ``unknown`` of nothing."""

    web: httpx.AsyncClient
    database: Database
    tenant: TenantId
    ids: Mapping[str, object]
    unknown: Mapping[str, object]

    async def ask(
        self,
        route: Asked,
        secret: str | None,
        *,
        ids: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        shown = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        url = route.template.format_map(self.ids if ids is None else ids)
        body = BODIES.get(route.name, {}) if route.method in {"POST", "PUT"} else None
        return await self.web.request(
            route.method,
            f"{url}?{QUERIES.get(route.name, '')}",
            headers={"Accept": "application/json", "Prefer": "wait=0", **shown, **(headers or {})},
            json=body,
        )

    async def key(self, *scopes: Scope, tenant: TenantId | None = None, **wanted: Any) -> str:
        async with self.database.transaction() as tx:
            made = await keys.make(
                tx, tenant or self.tenant, name="k", scopes=scopes or tuple(Scope), **wanted
            )
        return made[1]


@pytest.fixture
async def world(database: Database, connection: Connection) -> AsyncGenerator[World]:
    async with opened(database, connection.tenant) as world:
        yield world


@asynccontextmanager
async def opened(database: Database, tenant: TenantId) -> AsyncGenerator[World]:
    async with database.transaction() as tx:
        mine, _ = await connections.connect(
            tx, tenant, owner="ada", kind="local", title="Ada", config={"path": str(HERE)}
        )
        run, _ = await runs.request(tx, tenant, connection=mine, workflow="ingest", input={})
        artifact = await Library(mine).add(tx, "lease.py", "a worker renews its lease")
        session, _ = await connecting.begin(tx, tenant, owner="ada")
        await schedules.put(tx, mine, Cadence(interval=timedelta(hours=1)))
        gone = await deletions.doubt(
            tx, tenant, mine.id, "files", run=run.id, missing=["a"], total=2, reason=Doubt.MANY
        )
        left, _ = await connections.connect(
            tx, tenant, owner="ada", kind="local", title="Left", config={"path": "/left"}
        )
        erasure = await erasing.request(tx, tenant, left.id, revoked=False, actor="api")
        assert erasure is not None
        await workflows.publish(tx, [ECHO])
        key, _ = await keys.make(tx, tenant, name="hers", scopes={Scope.RUNS_READ})
        told, _ = await webhooks.create(tx, KEYRING, tenant, url="https://app.example.com/")
        test = await replaying.probe(tx, tenant, told.id)
        assert test is not None
    ids = {"connection_id": mine.id, "run_id": run.id, "artifact_id": artifact}
    nothing = {name: uuid4() for name in ids} | {"artifact_id": 10**12}
    doings = {"deletion_id": gone.id, "erasure_id": erasure.id}
    doings |= {"webhook_id": told.id, "delivery_id": test.id, "key_id": key.id}
    no_doings = {name: uuid4() for name in doings}
    async with asking(
        database,
        MemoryEventLog(),
        opening=Doors(StorageSettings(secret_keys=SecretStr(SECRET_KEY))),
        asks_for_keys=True,
        origins=frozenset({ORIGIN}),
    ) as web:
        yield World(
            web,
            database,
            tenant,
            ids={**ids, "session_id": session.id, "name": "echo", **doings},
            unknown={**nothing, "session_id": uuid4(), "name": "echo", **no_doings},
        )


ECHO = Published(
    name="echo",
    version=1,
    title="Echo",
    description="Says it again.",
    input_schema={"type": "object"},
    output_schema={"type": "object"},
)


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def same_no(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two refusals are the same but for what was asked for, and the request's own id."""

    def bare(response: httpx.Response) -> tuple[int, str]:
        text = response.text.replace(response.headers["x-request-id"], "")
        return response.status_code, IDS.sub("", text)

    return bare(one) == bare(other)


def test_a_route_that_does_not_say_what_it_needs_is_not_served() -> None:
    router = APIRouter()

    @router.get("/v1/secrets")
    async def secrets() -> None: ...

    with pytest.raises(Undeclared, match="GET /v1/secrets says 0 times"):
        list(declared([router]))


def test_a_route_that_names_things_of_unknown_owners_is_not_served() -> None:
    router = APIRouter()

    @router.get("/v1/secrets/{secret_id}", dependencies=[needs(Scope.RUNS_READ)])
    async def secrets(secret_id: str) -> None: ...

    with pytest.raises(Undeclared, match="secret_id"):
        list(declared([router]))


def test_what_is_open_to_all_is_known_and_has_a_reason() -> None:
    opened_ = {route.path: need.why for route, need in ROUTES if isinstance(need, OpenToAll)}

    assert all(len(why) > 20 for why in opened_.values())
    assert {path for path in opened_ if path.startswith("/v1/")} == {
        "/v1/oauth/{provider}/start",
        "/v1/oauth/{provider}/callback",
        "/v1/hints/{kind}",
    }


def test_the_matrix_has_every_route_of_the_app() -> None:
    served = {
        (route.path, method)
        for room in ROOMS
        for route in room.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    opened_ = {
        (route.path, method)
        for route, need in ROUTES
        if isinstance(need, OpenToAll)
        for method in route.methods or ()
    }

    assert {(each.template, each.method) for each in GUARDED} == served - opened_
    assert len(GUARDED) > 30


async def test_nobody_comes_in_without_a_key_that_is_good(world: World) -> None:
    async with world.database.transaction() as tx:
        gone, revoked = await keys.make(tx, world.tenant, name="gone")
        await keys.revoke(tx, gone.prefix)
    over = await world.key(expires_at=now() - timedelta(seconds=1))
    unheard = f"hw_{'a' * 12}_{'b' * 32}_00000000"
    for route in GUARDED:
        refused = await world.ask(route, None)
        assert code(refused) == (401, "unauthenticated"), route
        assert refused.headers["www-authenticate"].startswith("Bearer")
        for secret in (revoked, over, unheard, "hwc_forged", ""):
            answer = await world.ask(route, secret)
            assert same_no(answer, refused), (route, secret)


async def test_a_key_may_what_its_scope_says_and_nothing_else(world: World) -> None:
    just = {scope: await world.key(scope, *WITH.get(scope, ())) for scope in Scope}
    but = {scope: await world.key(*(set(Scope) - {scope})) for scope in Scope}
    for route in GUARDED:
        refused = await world.ask(route, but[route.need.scope])
        assert code(refused) == (403, "not_allowed"), route
        assert route.need.scope in refused.json()["detail"]
    for route in GUARDED:
        enough = just[route.need.scope]
        if also := AND.get(route.name):
            assert code(await world.ask(route, enough)) == (403, "not_allowed"), route
            enough = await world.key(route.need.scope, *also)
        answer = await world.ask(route, enough)
        assert answer.status_code not in {401, 403, 404, 405, 422}, (route, answer.text)
        assert answer.status_code < 500, (route, answer.text)


async def test_things_of_another_tenant_are_things_that_do_not_exist(
    world: World, other_tenant: TenantId
) -> None:
    secret = await world.key(tenant=other_tenant)
    mine = await world.key()
    for route in GUARDED:
        if "_id}" not in route.template:
            continue
        theirs = await world.ask(route, secret)
        unknown = await world.ask(route, mine, ids=world.unknown)
        if route.name != "list_audit":  # it outlives what it is about, and is empty
            assert code(theirs) == (404, "not_found"), (route, theirs.text)
        assert same_no(theirs, unknown), (route, theirs.text, unknown.text)


async def test_things_of_another_owner_are_things_that_do_not_exist(world: World) -> None:
    bobs = await world.key(*OF_OWNERS, owner="bob")
    for route in GUARDED:
        if "_id}" not in route.template or route.need.scope not in OF_OWNERS:
            continue
        theirs = await world.ask(route, bobs)
        unknown = await world.ask(route, bobs, ids=world.unknown)
        assert code(theirs) == (404, "not_found"), (route, theirs.text)
        assert same_no(theirs, unknown), (route, theirs.text, unknown.text)


async def test_owners_see_the_erasure_of_what_was_theirs_and_it_does_not_name_them(
    world: World,
) -> None:
    adas = await world.key(*OF_OWNERS, owner="ada")
    (route,) = [each for each in GUARDED if each.name == "get_erasure"]

    seen = await world.ask(route, adas)

    assert seen.status_code == 200
    assert "ada" not in seen.text


async def test_lists_have_nothing_of_other_tenants_and_owners(
    world: World, other_tenant: TenantId
) -> None:
    ada = await world.key(*OF_OWNERS, owner="ada")
    strangers = [
        await world.key(*OF_OWNERS, owner="bob"),
        await world.key(tenant=other_tenant),
    ]
    mine = str(world.ids["connection_id"])
    for route in GUARDED:
        if route.method != "GET" or "{" in route.template or route.need.scope not in OF_OWNERS:
            continue
        for secret in strangers:
            assert mine not in (await world.ask(route, secret)).text, route
    found = {
        route.name
        for route in GUARDED
        if route.method == "GET"
        and "{" not in route.template
        and mine in (await world.ask(route, ada)).text
    }

    assert found >= {"list_connections", "list_runs", "search"}


async def test_an_owners_key_makes_nothing_for_another_owner(world: World) -> None:
    bobs = await world.key(*OF_OWNERS, owner="bob")
    named = [each for each in GUARDED if each.name in {"connect", "begin_connecting"}]
    answers = [await world.ask(route, bobs) for route in named]
    asked = await world.web.post(
        "/v1/workflows/echo/runs",
        json={"connection_id": str(world.ids["connection_id"])},
        headers={"Authorization": f"Bearer {bobs}"},
    )

    assert [code(each) for each in answers] == [(403, "not_allowed")] * 2
    assert code(asked) == (404, "not_found")


async def test_what_an_owner_starts_is_the_owners(world: World) -> None:
    bobs = await world.key(*OF_OWNERS, owner="bob")
    headers = {"Authorization": f"Bearer {bobs}"}

    made = await world.web.post(
        "/v1/connections", json={"kind": "local", "config": {"path": "/b"}}, headers=headers
    )
    started = await world.web.post("/v1/workflows/echo/runs", json={}, headers=headers)
    listed = await world.web.get("/v1/runs", headers=headers)

    assert made.json()["owner"] == "bob"
    assert [each["id"] for each in listed.json()["items"]] == [started.json()["run"]["id"]]


async def test_an_idempotency_key_of_one_owner_is_another_ones_too(world: World) -> None:
    body = {"kind": "local", "config": {"path": "/same"}}
    made = [
        await world.web.post(
            "/v1/connections",
            json=body,
            headers={
                "Authorization": f"Bearer {await world.key(*OF_OWNERS, owner=owner)}",
                "Idempotency-Key": "the same",
            },
        )
        for owner in ("bob", "eve")
    ]

    assert [each.json()["owner"] for each in made] == ["bob", "eve"]


async def test_a_tenant_of_a_key_can_connect_and_start(
    world: World, other_tenant: TenantId, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {await world.key(tenant=other_tenant)}"}
    body = {"kind": "local", "config": {"path": str(tmp_path)}}

    made = await world.web.post("/v1/connections", json=body, headers=headers)
    path = f"/v1/connections/{made.json()['id']}/runs"
    started = await world.web.post(path, headers=headers)
    shown = await world.web.get(started.headers["location"], headers=headers)

    assert shown.json()["status"] == "queued"


async def test_a_keys_use_is_remembered(world: World) -> None:
    secret = await world.key()
    await world.web.get("/v1/runs", headers={"Authorization": f"Bearer {secret}"})

    async with world.database.reading() as tx:
        key = await keys.find(tx, secret)

    assert key is not None
    assert key.used_at is not None
    assert not key.unnoted


async def test_one_machine_alone_needs_no_key_and_refuses_a_wrong_one(
    database: Database, connection: Connection
) -> None:
    async with asking(database, MemoryEventLog()) as web:
        without = await web.get("/v1/connections")
        wrong = await web.get("/v1/connections", headers={"Authorization": "Bearer hw_wrong"})

    assert [each["id"] for each in without.json()["items"]] == [str(connection.id)]
    assert wrong.status_code == 401
