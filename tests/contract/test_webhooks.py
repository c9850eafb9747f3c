"""What is told is written down with what it tells, for whom it is, and for nobody else."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pipelines.upkeep import Upkeep
from storage import connections, credentials, erasing, runs, webhooks
from storage.clock import now
from storage.connections import Connection
from storage.credentials import Vault
from storage.database import Database
from storage.events import EventKind
from storage.ids import LOCAL_TENANT, TenantId
from storage.sealed import Keyring, new_key
from storage.streams.memory import MemoryEventLog
from storage.tables import deliveries
from storage.webhooks import KEPT, WebhookId, replaying, sending
from tests.hooked import KEY, KEYRING
from tests.serving import Story

URL = "https://app.example.com/hook"
ENDS = [
    EventKind.SUCCEEDED,
    EventKind.SUCCEEDED_WITH_FAILURES,
    EventKind.FAILED,
    EventKind.CANCELLED,
]


async def listens(database: Database, *kinds: str, tenant: TenantId = LOCAL_TENANT) -> WebhookId:
    async with database.transaction() as tx:
        made, _ = await webhooks.create(tx, KEYRING, tenant, url=URL, kinds=kinds or None)
    return made.id


async def told(database: Database, webhook: WebhookId) -> list[dict[str, Any]]:
    """What it is to be told, the oldest first."""
    async with database.reading() as tx:
        query = select(deliveries.c.body).where(deliveries.c.webhook_id == webhook)
        bodies = await tx.scalars(query.order_by(deliveries.c.id))
        return [json.loads(each) for each in bodies]


@pytest.mark.parametrize("end", ENDS)
async def test_a_run_is_told_with_ids_numbers_and_codes(database: Database, end: EventKind) -> None:
    webhook = await listens(database)
    story = await Story.begin(database, MemoryEventLog())
    await story.start()
    reason = {"code": "rate_limited", "message": "Ada's secret repository", "until": None}
    await story.milestone(EventKind.WAITING, reason=reason)
    await story.milestone(EventKind.RESUMED)
    await story.milestone(end, counts={"found": 3})

    created, *of_run = await told(database, webhook)

    kinds = ["run.started", "run.waiting", "run.resumed", end]
    assert created["type"] == "connection.created"
    assert [each["type"] for each in of_run] == kinds
    datas = [each["data"] for each in of_run]
    assert [each["seq"] for each in datas] == [2, 3, 4, 5]
    assert [each["status"] for each in datas] == ["running", "waiting", "running", end[4:]]
    assert [each["reason"] for each in datas] == [None, "rate_limited", None, None]
    assert {each["run_id"] for each in datas} == {str(story.run)}
    assert {each["owner"] for each in datas} == {"ada"}
    assert datas[-1]["counts"] == {"found": 3}
    assert "secret" not in json.dumps(of_run)


async def test_who_asked_for_some_events_is_told_no_others(database: Database) -> None:
    webhook = await listens(database, "run.succeeded")
    story = await Story.begin(database, MemoryEventLog())
    await story.start()
    await story.end()

    assert [each["type"] for each in await told(database, webhook)] == ["run.succeeded"]


async def test_who_is_told_the_same_gets_it_by_the_same_id(database: Database) -> None:
    both = [await listens(database, "connection.created") for _ in range(2)]
    await Story.begin(database, MemoryEventLog())

    async with database.reading() as tx:
        rows = [await replaying.page(tx, LOCAL_TENANT, each, limit=9) for each in both]

    assert rows[0][0].message_id == rows[1][0].message_id
    assert rows[0][0].body == rows[1][0].body


async def test_another_tenant_is_told_nothing(database: Database, other_tenant: TenantId) -> None:
    stranger = await listens(database, tenant=other_tenant)
    await Story.begin(database, MemoryEventLog())

    assert await told(database, stranger) == []


async def test_what_did_not_happen_is_not_told(database: Database) -> None:
    webhook = await listens(database)

    with pytest.raises(LookupError):
        await connect_and_fail(database)

    assert await told(database, webhook) == []


async def test_a_webhook_that_is_deleted_meanwhile_breaks_nothing(database: Database) -> None:
    webhook = await listens(database)

    async with database.transaction() as tx:
        await webhooks.remove(tx, LOCAL_TENANT, webhook)
        going = asyncio.create_task(Story.begin(database, MemoryEventLog()))
        await asyncio.wait({going}, timeout=0.5)
        assert not going.done()
    story = await going

    async with database.reading() as tx:
        assert await runs.find(tx, story.run) is not None


async def connect_and_fail(database: Database) -> None:
    async with database.transaction() as tx:
        await connections.connect(
            tx, LOCAL_TENANT, owner="ada", kind="local", title="", config={"path": "/x"}
        )
        raise LookupError


async def test_a_connection_is_told_from_its_grants_death_to_its_erasure(
    database: Database, connection: Connection
) -> None:
    webhook = await listens(database)
    for secret in (b"hidden", b"hidden too"):
        async with database.transaction() as tx:
            await credentials.give(
                *(tx, KEYRING, LOCAL_TENANT, connection.id),
                kind="token",
                secret=secret,
                actor="test",
            )
    vault = Vault(database, KEYRING, LOCAL_TENANT, connection.id, "test")
    await vault.bury(2, "revoked")
    before = await told(database, webhook)
    await erase(database, connection)

    after = await told(database, webhook)

    assert [(each["type"], each["data"].get("reason")) for each in before] == [
        ("connection.reauthorized", None),
        ("connection.needs_reauthorization", "revoked"),
    ]
    assert [each["data"]["owner"] for each in before] == ["someone"] * 2
    assert [each["type"] for each in after] == ["connection.disconnected", "connection.erased"]
    assert [each["data"]["owner"] for each in after] == [None, None]
    assert "hidden" not in json.dumps(before)


async def erase(database: Database, connection: Connection) -> None:
    async with database.transaction() as tx:
        it = await erasing.request(tx, LOCAL_TENANT, connection.id, revoked=True, actor="test")
    assert it is not None
    more = True
    while more:
        async with database.transaction() as tx:
            more = await erasing.erase_some(tx, it)
    while it.finished_at is None:
        async with database.transaction() as tx:
            it = await erasing.get(tx, LOCAL_TENANT, it.id) or it
            if it.finished_at is None:
                await erasing.advance(tx, it)


async def test_what_is_over_is_kept_for_a_month_and_what_is_not_until_it_is(
    database: Database,
) -> None:
    webhook = await listens(database)
    for _ in range(3):
        async with database.transaction() as tx:
            made = await replaying.probe(tx, LOCAL_TENANT, webhook)
    assert made is not None
    old = now() - KEPT - timedelta(seconds=1)
    async with database.transaction() as tx:
        load = await sending.claim(tx, webhook, moment=now(), lease=timedelta(minutes=1), limit=2)
        assert load is not None
        await tx.execute(deliveries.update().values(created_at=old))
        for each in load.deliveries:
            await sending.arrived(tx, each, answered=200, moment=now())
        young = load.deliveries[0].id
        fresh = deliveries.update().where(deliveries.c.id == young).values(created_at=now())
        await tx.execute(fresh)

    await Upkeep(database, timedelta(days=7)).once()

    async with database.reading() as tx:
        kept = await replaying.page(tx, LOCAL_TENANT, webhook, limit=9)
    assert {each.id for each in kept} == {young, made.id}


async def test_secrets_are_sealed_again_with_a_new_key_and_stay_the_same(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        made, secret = await webhooks.create(tx, KEYRING, LOCAL_TENANT, url=URL)
        await replaying.probe(tx, LOCAL_TENANT, made.id)
    newer = new_key()

    done = await webhooks.reseal(database, Keyring.parse(f"{newer},{KEY}"))

    async with database.transaction() as tx:
        load = await sending.claim(
            tx,
            made.id,
            moment=now(),
            lease=timedelta(minutes=1),
            limit=1,
        )
    assert load is not None
    assert (done, list(load.secrets(Keyring.parse(newer)))) == (1, [secret])


async def test_the_secret_before_signs_until_its_time_is_over_and_one_before_that_never(
    database: Database,
) -> None:
    moment = now()
    async with database.transaction() as tx:
        made, first = await webhooks.create(tx, KEYRING, LOCAL_TENANT, url=URL)
        for _ in range(3):
            await replaying.probe(tx, LOCAL_TENANT, made.id)
        until = moment + timedelta(hours=1)
        rotations = [
            await webhooks.rotate(tx, KEYRING, LOCAL_TENANT, made.id, until=until) for _ in range(2)
        ]
    [(_, second), (_, third)] = [each for each in rotations if each is not None]

    signing = []
    for later in (timedelta(minutes=1), timedelta(hours=1)):
        async with database.transaction() as tx:
            load = await sending.claim(
                tx, made.id, moment=moment + later, lease=timedelta(0), limit=1
            )
        assert load is not None
        signing.append(list(load.secrets(KEYRING)))

    assert signing == [[third, second], [third]]
    assert first not in signing[0]
    assert first not in repr(load)
    assert third not in repr(load)
