"""Keys of the api and what is given with them, on both databases."""

from datetime import timedelta

import pytest

from storage import keys, passes
from storage.clock import now
from storage.database import Database
from storage.ids import RunId, TenantId, new_id
from storage.keys import Key
from storage.passes import Pass
from storage.scopes import OF_OWNERS, OF_TENANTS, Scope


async def made(database: Database, tenant: TenantId, **wanted: object) -> tuple[Key, str]:
    async with database.transaction() as tx:
        return await keys.make(tx, tenant, name="backend", **wanted)  # type: ignore[arg-type]


async def opened(database: Database, secret: str) -> Key | None:
    async with database.reading() as tx:
        return await keys.find(tx, secret)


async def given(database: Database, tenant: TenantId, **narrowed: object) -> tuple[Pass, str]:
    wanted = {"key": None, "owner": "ada", "scopes": OF_OWNERS, "runs": None, "origin": None}
    async with database.transaction() as tx:
        return await passes.give(tx, tenant, **{**wanted, **narrowed})  # type: ignore[arg-type]


async def shown(database: Database, secret: str) -> Pass | None:
    async with database.reading() as tx:
        return await passes.find(tx, secret)


async def test_a_key_opens_what_it_was_made_for(database: Database, tenant: TenantId) -> None:
    key, secret = await made(database, tenant, owner="ada", scopes={Scope.RUNS_READ})

    found = await opened(database, secret)

    assert found == key
    assert (found.tenant, found.owner) == (tenant, "ada")
    assert found.scopes == {Scope.RUNS_READ}


async def test_nothing_of_the_secret_is_kept(database: Database, tenant: TenantId) -> None:
    key, secret = await made(database, tenant)
    async with database.reading() as tx:
        (row,) = (await tx.exec_driver_sql("SELECT * FROM keys")).all()

    assert secret.split("_")[2] not in repr(tuple(row))
    assert key.prefix in secret


@pytest.mark.parametrize("spoil", ["last", "middle", "nothing", "prefix"])
async def test_what_is_not_the_key_opens_nothing(
    database: Database, tenant: TenantId, spoil: str
) -> None:
    _, secret = await made(database, tenant)
    _, another = await made(database, tenant)
    wrong = {
        "last": secret[:-1] + ("0" if secret[-1] != "0" else "1"),
        "middle": another[:20] + secret[20:],
        "nothing": "",
        "prefix": secret.split("_")[1],
    }[spoil]

    assert await opened(database, wrong) is None


async def test_a_key_is_over_when_its_time_is(database: Database, tenant: TenantId) -> None:
    _, secret = await made(database, tenant, expires_at=now() - timedelta(seconds=1))

    assert await opened(database, secret) is None


async def test_a_revoked_key_takes_along_what_was_given_with_it(
    database: Database, tenant: TenantId
) -> None:
    key, secret = await made(database, tenant)
    _, token = await given(database, tenant, key=key.id)
    before = await shown(database, token)

    async with database.transaction() as tx:
        await keys.revoke(tx, key.prefix)
        again = await keys.revoke(tx, key.prefix)

    assert before is not None
    assert again is not None
    assert again.revoked_at is not None
    assert await opened(database, secret) is None
    assert await shown(database, token) is None


async def test_a_replaced_key_is_good_until_everybody_has_the_new_one(
    database: Database, tenant: TenantId
) -> None:
    key, secret = await made(database, tenant, owner="ada", scopes={Scope.SEARCH_READ})

    async with database.transaction() as tx:
        answer = await keys.replace(tx, key.prefix, overlap=timedelta(hours=1), lasts=None)

    assert answer is not None
    new, fresh = answer
    old = await opened(database, secret)
    assert old is not None
    assert old.expires_at is not None
    assert old.expires_at - now() < timedelta(hours=1, seconds=1)
    assert await opened(database, fresh) == new
    assert (new.tenant, new.owner, new.scopes) == (key.tenant, key.owner, key.scopes)


async def test_an_overlap_never_makes_a_key_last_longer(
    database: Database, tenant: TenantId
) -> None:
    ends = now() + timedelta(minutes=5)
    key, secret = await made(database, tenant, expires_at=ends)

    async with database.transaction() as tx:
        await keys.replace(tx, key.prefix, overlap=timedelta(hours=1), lasts=None)

    old = await opened(database, secret)
    assert old is not None
    assert old.expires_at == ends


async def test_a_key_of_one_owner_has_no_scope_over_all(
    database: Database, tenant: TenantId
) -> None:
    with pytest.raises(ValueError, match="one owner"):
        await made(database, tenant, owner="ada", scopes=OF_TENANTS)


async def test_a_token_is_good_for_what_it_is_narrowed_to(
    database: Database, tenant: TenantId
) -> None:
    run = RunId(new_id())
    mine, token = await given(
        database, tenant, scopes={Scope.RUNS_READ}, runs=[run], origin="https://app.example.com"
    )

    found = await shown(database, token)

    assert found == mine
    assert found.runs == frozenset({run})
    assert found.origin == "https://app.example.com"
    assert found.expires_at - now() < timedelta(minutes=15, seconds=1)


async def test_a_token_that_is_over_opens_nothing(database: Database, tenant: TenantId) -> None:
    _, token = await given(database, tenant, lasts=timedelta(seconds=-1))

    assert await shown(database, token) is None


async def test_a_ticket_lets_one_in_once(database: Database, tenant: TenantId) -> None:
    ticket_, ticket = await given(database, tenant, once=True)

    as_token = await shown(database, ticket)
    async with database.transaction() as tx:
        first = await passes.redeem(tx, ticket)
    async with database.transaction() as tx:
        second = await passes.redeem(tx, ticket)

    assert as_token is None
    assert first == ticket_
    assert second is None


async def test_a_token_is_no_ticket(database: Database, tenant: TenantId) -> None:
    _, token = await given(database, tenant)

    async with database.transaction() as tx:
        assert await passes.redeem(tx, token) is None
    assert await shown(database, token) is not None
