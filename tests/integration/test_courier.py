"""Webhooks are told at least once, however their receivers behave, and nobody is led elsewhere."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from connectors.egress import Exceptions
from pipelines.courier import LEASE, WAITS
from storage import webhooks
from storage.database import Database
from storage.ids import LOCAL_TENANT
from storage.sealed import Keyring, new_key
from storage.tables import webhooks as table
from storage.webhooks import (
    PATIENCE,
    Delivery,
    DeliveryStatus,
    Disabled,
    Failure,
    replaying,
    sending,
)
from tests.hooked import KEY, Dial, Hooked, courier, hooked
from tests.receiver import Reply
from tests.waiting import wait_until

SOON = timedelta(seconds=1)


async def test_what_fails_is_tried_again_on_the_published_schedule_by_the_same_id(
    database: Database,
) -> None:
    clock = Dial()
    tells = courier(database, clock=clock)
    async with hooked(database, *[Reply(500)] * 10) as hook:
        made = await hook.probe()
        await tells.look()
        for number, wait in enumerate(WAITS, start=1):
            clock.turn(wait - SOON)
            await tells.look()
            assert len(hook.receiver.told) == number
            clock.turn(SOON)
            await tells.look()

        over, shown = await hook.delivery(), await hook.shown()
        clock.turn(timedelta(days=1))
        await tells.look()

    assert hook.receiver.ids == [made.message_id] * 10
    assert len({each.body for each in hook.receiver.told}) == 1
    assert len({each.headers["webhook-timestamp"] for each in hook.receiver.told}) == 10
    assert (over.status, over.attempts, over.due_at) == (DeliveryStatus.FAILED, 10, None)
    assert (over.answered, over.trouble) == (500, "It answered 500.")
    assert shown.failing_since is not None


async def test_retries_of_many_are_spread_by_a_tenth(database: Database) -> None:
    clock = Dial()
    async with hooked(database, Reply(500)) as hook:
        await hook.probe()
        await replace(courier(database, clock=clock), jitter=lambda: 1.0).look()

        delivery = await hook.delivery()

    assert delivery.due_at == clock.moment + timedelta(seconds=5.5)


async def test_what_comes_through_at_last_makes_it_well_again(database: Database) -> None:
    clock = Dial()
    tells = courier(database, clock=clock)
    async with hooked(database, Reply(503), Reply(200)) as hook:
        await hook.probe()
        await tells.look()
        ill = await hook.shown()
        clock.turn(WAITS[0])
        await tells.look()

        well, delivery = await hook.shown(), await hook.delivery()

    assert ill.failing_since is not None
    assert (well.failing_since, well.delivered_at) == (None, clock.moment)
    assert (delivery.status, delivery.attempts, delivery.trouble) == ("delivered", 2, None)


async def test_who_asks_to_be_left_alone_for_longer_is(database: Database) -> None:
    clock = Dial()
    async with hooked(database, Reply(429, {"retry-after": "7200"})) as hook:
        await hook.probe()
        await courier(database, clock=clock).look()

        delivery = await hook.delivery()

    assert delivery.due_at == clock.moment + timedelta(hours=2)


async def test_nobody_is_left_alone_for_ever(database: Database) -> None:
    clock = Dial()
    async with hooked(
        database, Reply(503, {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"})
    ) as hook:
        await hook.probe()
        await courier(database, clock=clock).look()

        delivery = await hook.delivery()

    assert delivery.due_at == clock.moment + timedelta(days=1)


async def test_a_redirect_is_a_failure_and_is_not_followed(database: Database) -> None:
    async with hooked(database, Reply(307, {"location": "/elsewhere"})) as hook:
        await hook.probe()
        await courier(database).look()

        delivery = await hook.delivery()

    assert [each.path for each in hook.receiver.told] == ["/hook"]
    assert (delivery.status, delivery.answered) == (DeliveryStatus.PENDING, 307)


async def test_one_that_hangs_is_left_and_holds_up_no_other(database: Database) -> None:
    async with hooked(database, Reply(hangs=True)) as hangs, hooked(database) as other:
        await hangs.probe()
        await other.probe()
        telling = asyncio.create_task(courier(database, patience_seconds=3).look())
        await wait_until(lambda: len(other.receiver.told) == 1)
        assert not telling.done()
        await telling
        await wait_until(hangs.receiver.closed.is_set)

        slow, quick = await hangs.delivery(), await other.delivery()

    assert (slow.status, slow.trouble) == ("pending", "It did not answer within 3 seconds.")
    assert quick.status == DeliveryStatus.DELIVERED


async def test_an_answer_that_never_ends_is_not_read_to_its_end(database: Database) -> None:
    async with hooked(database, Reply(200, endless=True)) as hook:
        await hook.probe()
        await courier(database).look()

        delivery = await hook.delivery()
        read = hook.receiver.read

    assert delivery.status == DeliveryStatus.DELIVERED
    assert read < 500  # what the sockets hold beside what was read


async def test_one_that_says_it_is_gone_is_told_nothing_more(database: Database) -> None:
    async with hooked(database, Reply(410)) as hook:
        for _ in range(3):
            await hook.probe()
        await courier(database).look()
        told = len(hook.receiver.told)
        await courier(database).look()

        shown, deliveries = await hook.shown(), await hook.deliveries()

    assert (shown.disabled_for, len(hook.receiver.told)) == (Disabled.GONE, told)
    assert {each.due_at for each in deliveries} == {None}


async def test_one_that_nothing_came_through_to_for_days_is_disabled_and_can_be_enabled(
    database: Database,
) -> None:
    clock = Dial()
    tells = courier(database, clock=clock)
    async with hooked(database, *[Reply(500)] * 2) as hook:
        await hook.probe()
        await tells.look()
        still = await hook.shown()
        clock.turn(PATIENCE)
        await tells.look()
        off = await hook.shown()
        await enable(hook)
        async with database.transaction() as tx:
            again = await replaying.replay_failed(tx, LOCAL_TENANT, hook.id, since=off.created_at)
        await tells.look()

        well, delivery = await hook.shown(), await hook.delivery()

    assert (still.disabled_at, off.disabled_for, again) == (None, Disabled.FAILING, 1)
    assert (well.disabled_at, well.failing_since) == (None, None)
    assert delivery.status == DeliveryStatus.DELIVERED
    assert len(set(hook.receiver.ids)) == 1


async def enable(hook: Hooked) -> None:
    it = await hook.shown()
    async with hook.database.transaction() as tx:
        await webhooks.change(
            tx, LOCAL_TENANT, hook.id, url=it.url, description="", kinds=None, enabled=True
        )


async def test_what_is_not_on_the_internet_is_not_reached(database: Database) -> None:
    async with hooked(database) as hook:
        await hook.probe()
        await courier(database, exceptions=Exceptions()).look()

        delivery = await hook.delivery()

    assert hook.receiver.told == []
    assert "not on the internet" in (delivery.trouble or "")


async def test_two_workers_tell_it_once(database: Database) -> None:
    async with hooked(database) as hook:
        made = [await hook.probe() for _ in range(20)]
        await asyncio.gather(*(courier(database).look() for _ in range(3)))

        deliveries = await hook.deliveries()

    assert sorted(hook.receiver.ids) == sorted(each.message_id for each in made)
    assert {(each.status, each.attempts) for each in deliveries} == {("delivered", 1)}


async def test_an_outcome_that_comes_too_late_counts_for_nothing(database: Database) -> None:
    moment = Dial().moment
    async with hooked(database) as hook:
        await hook.probe()
        late, mine = await taken(hook, moment), await taken(hook, moment + LEASE)
        async with database.transaction() as tx:
            gone = Failure(trouble="late", gone=True)
            disabled = await sending.failed(tx, late, gone, moment=moment + LEASE)
        between = await hook.delivery()
        async with database.transaction() as tx:
            told = await sending.arrived(tx, mine, answered=200, moment=moment + LEASE)
            again = await sending.arrived(tx, late, answered=200, moment=moment + LEASE)

        delivery = await hook.delivery()

    assert (disabled, between.attempts, between.trouble) == (None, 0, None)
    assert (told, again) == (True, False)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 1)


async def taken(hook: Hooked, moment: datetime) -> Delivery:
    async with hook.database.transaction() as tx:
        load = await sending.claim(tx, hook.id, moment=moment, lease=LEASE, limit=1)
    assert load is not None
    return load.deliveries[0]


async def test_a_secret_that_cannot_be_opened_is_told_and_waits_for_the_operator(
    database: Database,
) -> None:
    clock = Dial()
    async with hooked(database) as hook:
        await hook.probe()
        other = replace(courier(database, clock=clock), keyring=lambda: Keyring.parse(new_key()))
        await other.look()
        shut = await hook.delivery()
        clock.turn(WAITS[0])
        await courier(database, clock=clock).look()

        opened = await hook.delivery()

    assert (shut.status, shut.attempts, shut.answered) == (DeliveryStatus.PENDING, 1, None)
    assert "operator" in (shut.trouble or "")
    assert opened.status == DeliveryStatus.DELIVERED


async def test_one_that_nobody_can_make_sense_of_holds_up_no_other(database: Database) -> None:
    async with hooked(database) as broken, hooked(database) as well:
        async with database.transaction() as tx:
            await tx.execute(
                table.update().where(table.c.id == broken.id).values(url="https://[::1/")
            )
        await broken.probe()
        await well.probe()
        await courier(database).look()

        delivery = await well.delivery()

    assert delivery.status == DeliveryStatus.DELIVERED


WORKER = """
import asyncio, sys
from pipelines.courier import Courier
from storage import crashpoints
from storage.database import open_database
from storage.sealed import Keyring
from tests.hooked import LOOPBACK

async def tell():
    async with open_database(sys.argv[1]) as database:
        await Courier(database, lambda: Keyring.parse(sys.argv[2]), LOOPBACK).look()

crashpoints.arm("webhook.sent")
asyncio.run(tell())
"""


async def test_a_worker_that_is_killed_between_sending_and_noting_it_down_has_it_sent_again(
    database: Database, database_url: str
) -> None:
    clock = Dial()
    async with hooked(database) as hook:
        made = await hook.probe()
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WORKER, database_url, KEY),
            cwd=Path(__file__).parents[2],
            env=os.environ,
        )
        killed = await worker.wait()
        told = len(hook.receiver.told)
        await courier(database, clock=clock).look()
        leased = len(hook.receiver.told)
        clock.turn(LEASE * 2)
        await courier(database, clock=clock).look()

        delivery = await hook.delivery()

    assert (killed, told, leased) == (-9, 1, 1)
    assert hook.receiver.ids == [made.message_id] * 2
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 1)
