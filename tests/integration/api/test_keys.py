"""Keys over HTTP: made, listed, rotated and taken back, and never more than their maker has."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from storage import keys
from storage.database import Database
from storage.ids import LOCAL_TENANT
from storage.scopes import OF_OWNERS, Scope
from storage.streams.memory import MemoryEventLog
from tests.serving import Story, asking

PATH = "/v1/keys"
RUNS: dict[str, Any] = {"name": "runs", "scopes": ["runs:read"]}


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with a key."""

    web: httpx.AsyncClient
    key: str

    async def ask(self, method: str, path: str = PATH, **body: Any) -> httpx.Response:
        shown = {"Authorization": f"Bearer {self.key}"}
        return await self.web.request(
            method, path, headers=shown, json=body if method == "POST" else None
        )


@pytest.fixture
async def holder(database: Database, story: Story) -> AsyncGenerator[Holder]:
    """Who may make keys and read runs, and nothing else."""
    async with database.transaction() as tx:
        scopes = {Scope.KEYS_WRITE, Scope.RUNS_READ}
        _, secret = await keys.make(tx, LOCAL_TENANT, name="mine", scopes=scopes)
    async with asking(database, MemoryEventLog(), asks_for_keys=True) as web:
        yield Holder(web, secret)


async def test_a_key_is_shown_once_and_opens_what_it_names(holder: Holder) -> None:
    made = await holder.ask("POST", **RUNS, owner="ada", expires_in_days=1)
    listed = (await holder.ask("GET")).json()["items"]

    secret = made.json().pop("key")
    other = Holder(holder.web, secret)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert [each["name"] for each in listed] == ["runs", "mine"]
    assert secret not in str(listed)
    assert listed[0]["expires_at"] is not None
    assert (await other.ask("GET", "/v1/runs")).status_code == 200
    assert (await other.ask("GET", "/v1/connections")).status_code == 403
    assert (await other.ask("GET")).status_code == 403


@pytest.mark.parametrize("scope", ["search:read", "deployment:write"])
async def test_nobody_gives_what_they_do_not_have(holder: Holder, scope: str) -> None:
    refused = await holder.ask("POST", name="more", scopes=["runs:read", scope])

    assert refused.status_code == 403
    assert scope in refused.json()["detail"]
    assert len((await holder.ask("GET")).json()["items"]) == 1


async def test_an_owners_key_can_make_none(holder: Holder) -> None:
    refused = await holder.ask("POST", name="hers", owner="ada", scopes=["keys:write"])

    assert refused.status_code == 422
    assert Scope.KEYS_WRITE not in OF_OWNERS


async def test_a_key_that_may_more_is_neither_rotated_nor_revoked(
    holder: Holder, database: Database
) -> None:
    async with database.transaction() as tx:
        strong, secret = await keys.make(tx, LOCAL_TENANT, name="strong")

    rotated = await holder.ask("POST", f"{PATH}/{strong.id}/rotate")
    revoked = await holder.ask("DELETE", f"{PATH}/{strong.id}")

    assert (rotated.status_code, revoked.status_code) == (403, 403)
    assert (await Holder(holder.web, secret).ask("GET", "/v1/runs")).status_code == 200


async def test_both_are_good_while_one_is_rotated_and_none_once_revoked(holder: Holder) -> None:
    old = (await holder.ask("POST", **RUNS)).json()
    new = (await holder.ask("POST", f"{PATH}/{old['id']}/rotate", overlap_hours=1)).json()

    async def opens(key: str) -> bool:
        return (await Holder(holder.web, key).ask("GET", "/v1/runs")).status_code == 200

    assert [await opens(old["key"]), await opens(new["key"])] == [True, True]
    for each in (old, new, new):
        assert (await holder.ask("DELETE", f"{PATH}/{each['id']}")).status_code == 204
    assert [await opens(old["key"]), await opens(new["key"])] == [False, False]
    again = await holder.ask("POST", f"{PATH}/{new['id']}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "key_over")


async def test_the_list_comes_in_pages(holder: Holder) -> None:
    for _ in range(2):
        await holder.ask("POST", **RUNS)

    first = (await holder.ask("GET", f"{PATH}?limit=2")).json()
    last = (await holder.ask("GET", f"{PATH}?limit=2&cursor={first['next_cursor']}")).json()

    assert len(first["items"]) == 2
    assert [each["name"] for each in last["items"]] == ["mine"]
    assert last["next_cursor"] is None
