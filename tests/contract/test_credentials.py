"""Credentials at rest, on both databases: sealed, replaced by one at a time, told in the audit."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from storage import audit, connections, credentials
from storage.audit import AuditAction
from storage.clock import now
from storage.connections import Connection
from storage.credentials import Kept, Resealed, Vault
from storage.database import Database
from storage.errors import SealBroken, SecretKeyMissing
from storage.ids import ConnectionId, TenantId
from storage.sealed import Keyring, new_key
from storage.tables import audit as audit_table
from storage.tables import credentials as table

SECRET = b"s3cr3t-canary"
OLD, NEW = new_key(), new_key()
KEYRING = Keyring.parse(OLD)


async def give(
    database: Database, tenant: TenantId, connection: ConnectionId, secret: bytes = SECRET
) -> None:
    async with database.transaction() as tx:
        await credentials.give(
            tx, KEYRING, tenant, connection, kind="token", secret=secret, actor="test"
        )


@pytest.fixture
async def vault(database: Database, tenant: TenantId, connection: Connection) -> Vault:
    await give(database, tenant, connection.id)
    return Vault(database, KEYRING, tenant, connection.id, actor="run:1")


async def kept(vault: Vault) -> Kept:
    found = await vault.load()
    assert found is not None
    return found


async def actions(vault: Vault) -> list[str]:
    async with vault.database.reading() as tx:
        return [
            each.action for each in await audit.of_connection(tx, vault.tenant, vault.connection)
        ]


async def test_credential_is_read_back_as_it_was_given(vault: Vault) -> None:
    found = await kept(vault)

    assert (found.kind, found.secret, found.version, found.dead) == ("token", SECRET, 1, None)
    assert "canary" not in repr(found)


async def test_database_holds_no_secret(vault: Vault) -> None:
    async with vault.database.reading() as tx:
        rows = (await tx.execute(select(table))).all()
        told = (await tx.execute(select(audit_table))).all()

    assert SECRET not in rows[0].sealed
    assert "canary" not in f"{rows}{told}"


async def test_credential_given_again_takes_the_place_of_the_dead_one(vault: Vault) -> None:
    await vault.bury(1, "revoked")

    await give(vault.database, vault.tenant, vault.connection, b"another")

    found = await kept(vault)
    assert (found.secret, found.version, found.dead) == (b"another", 2, None)
    assert await actions(vault) == ["created", "died", "replaced"]


async def test_row_copied_to_another_connection_does_not_open(vault: Vault) -> None:
    async with vault.database.transaction() as tx:
        other, _ = await connections.connect(
            tx, vault.tenant, owner="mallory", kind="local", title="", config={}
        )
        row = (await tx.execute(select(table))).one()
        await tx.execute(insert(table).values({**row._asdict(), "connection_id": other.id}))

    with pytest.raises(SealBroken):
        await Vault(vault.database, KEYRING, vault.tenant, other.id, "test").load()


async def test_another_tenant_has_no_such_credential(vault: Vault, other_tenant: TenantId) -> None:
    theirs = Vault(vault.database, KEYRING, other_tenant, vault.connection, "test")

    assert await theirs.load() is None
    assert await theirs.claim(1) is None
    assert not await theirs.replace(1, b"mine now")
    assert not await theirs.bury(1, "revoked")


async def test_only_one_refreshes_at_a_time(vault: Vault) -> None:
    holder = await vault.claim(1)

    assert holder is not None
    assert await vault.claim(1) is None
    await vault.let_go(holder)
    assert await vault.claim(1) is not None


async def test_who_died_in_a_refresh_does_not_keep_the_others_off(vault: Vault) -> None:
    await vault.claim(1)
    async with vault.database.transaction() as tx:
        past = now() - timedelta(seconds=1)
        await tx.execute(update(table).values(renewing_until=past))

    assert await vault.claim(1) is not None


async def test_who_comes_late_with_a_refreshed_one_changes_nothing(vault: Vault) -> None:
    assert await vault.replace(1, b"first")

    assert not await vault.replace(1, b"late")
    assert not await vault.bury(1, "revoked")
    assert await vault.claim(1) is None
    assert (await kept(vault)).secret == b"first"


async def test_dead_credential_stays_dead_until_its_owner_gives_another(vault: Vault) -> None:
    await vault.bury(1, "password_changed")

    assert not await vault.replace(1, b"refreshed after all")
    assert (await kept(vault)).dead == "password_changed"


async def test_forgotten_credential_is_gone_and_its_story_stays(vault: Vault) -> None:
    for there in (True, False):
        async with vault.database.transaction() as tx:
            gone = await credentials.forget(tx, vault.tenant, vault.connection, actor="api")
        assert gone is there

    assert await vault.load() is None
    assert await actions(vault) == ["created", "deleted"]


@pytest.mark.parametrize(
    "statement", [update(audit_table).values(actor="nobody"), delete(audit_table)]
)
async def test_audit_cannot_be_rewritten(vault: Vault, statement: object) -> None:
    await vault.tell(AuditAction.OPENED)

    with pytest.raises(DBAPIError, match="append-only"):
        async with vault.database.transaction() as tx:
            await tx.execute(statement)  # type: ignore[call-overload]  # either statement

    assert await actions(vault) == ["created", "opened"]


async def test_rotation_reseals_everything_while_it_is_used(vault: Vault) -> None:
    holder = await vault.claim(1)
    both, new = Keyring.parse(f"{NEW},{OLD}"), Keyring.parse(NEW)

    assert await credentials.reseal(vault.database, both, batch=1) == Resealed(done=1, left=0)
    assert await credentials.reseal(vault.database, both) == Resealed(done=0, left=0)

    later = Vault(vault.database, new, vault.tenant, vault.connection, "test")
    found = await kept(later)
    assert (found.secret, found.version) == (SECRET, 1)
    assert holder is not None
    assert await later.replace(1, b"by who held it meanwhile")


async def test_rotation_without_the_old_key_says_so_and_changes_nothing(vault: Vault) -> None:
    with pytest.raises(SecretKeyMissing, match=KEYRING.sealing):
        await credentials.reseal(vault.database, Keyring.parse(NEW))

    assert (await kept(vault)).secret == SECRET


async def test_credential_goes_with_its_connection(vault: Vault) -> None:
    async with vault.database.transaction() as tx:
        await tx.execute(text("DELETE FROM connections"))

    assert await vault.load() is None
