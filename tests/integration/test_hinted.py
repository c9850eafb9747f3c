"""From a change at the provider, by its hint, to a run that pays only for what changed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from connectors.access import Access, Token
from connectors.connector import Connector, Spec
from connectors.fakes.google import Fault
from connectors.github.fake.hooks import Delivery, Hooks
from connectors.gmail.config import GmailConfig
from connectors.gmail.crawl import open_gmail
from connectors.gmail.fake.generate import mail, mailbox
from connectors.gmail.fake.world import World
from connectors.gmail.quota import Call
from connectors.hearing import HintSettings
from pipelines.arming import Arming
from pipelines.hinting import Hinting
from pipelines.settings import PipelineSettings
from storage import tenants, watches
from storage.clock import now, shared_now
from storage.connections import Connection
from storage.database import Database, Tx
from storage.hints import APART
from storage.ids import LOCAL_TENANT
from storage.runs import Run
from storage.streams.memory import MemoryEventLog
from tests import google, hub, pushing
from tests.ingesting import House, open_house
from tests.loopback import listening
from tests.pushing import TOPIC, push
from tests.serving import asking, doors

SECRET = "the secret of the tests"  # noqa: S105  # of a test
GITHUB = HintSettings(github_webhook_secret=SecretStr(SECRET))
PUSHED = HintSettings(gmail_push_topic=TOPIC)


async def led(house: House) -> list[Run]:
    """The runs that hints lead to once they have settled, each brought to its end."""

    async def later(tx: Tx) -> datetime:
        return await shared_now(tx) + APART

    services = house.services
    started = await Hinting(services.database, services.specs, lambda _: None, later).look()
    for _ in started:
        await house.attempt(await house.claim())
    return [await house.run(each) for each in started]


async def send(client: httpx.AsyncClient, deliveries: Sequence[Delivery]) -> set[int]:
    answers = [
        await client.post("/v1/hints/github", headers=dict(each.headers), content=each.body)
        for each in deliveries
    ]
    return {answer.status_code for answer in answers}


async def test_a_push_at_github_is_read_by_the_run_that_its_webhook_leads_to(
    database: Database,
) -> None:
    settings = PipelineSettings(name="tester", egress_networks=hub.LOOPBACK.networks)
    fake = hub.fake()
    repo = hub.small(fake)
    hooks = Hooks(fake.world, SECRET.encode())
    async with (
        listening(fake.app) as origin,
        open_house(database, settings=settings) as house,
        asking(database, MemoryEventLog(), hinting=GITHUB) as client,
    ):
        connection = await house.connect("github", {"repositories": [hub.NAME], "base_url": origin})
        first = await house.ingest(connection)
        fake.world.push(repo, {"src/new.py": b"new = 1\n"})
        fake.world.push(repo, {"src/newer.py": b"newer = 2\n"})
        talk = fake.world.open(repo, "Another", "It is slow.")
        fake.world.asked.clear()

        deliveries = hooks.changes()
        answers = await send(client, [*deliveries, *deliveries])
        (run,) = await led(house)
        asked = len(fake.world.asked)
        again = await send(client, deliveries), await led(house)

    assert (len(deliveries), answers) == (2, {202})
    assert run.scheduled
    assert run.counts.processed == 2 + 1
    assert run.counts.found < first.counts.found
    assert asked < 20
    assert talk.number
    assert again == ({202}, [])


@asynccontextmanager
async def mail_house(database: Database, world: World) -> AsyncGenerator[tuple[House, Spec]]:
    """Where Gmail is a fake, which anybody's access opens."""
    with google.gmail(world) as origin:

        def opening(config: GmailConfig, access: Access) -> AbstractAsyncContextManager[Connector]:
            return open_gmail(google.UNHURRIED, google.Grants("token"), origin=origin)

        spec = replace(google.spec(origin, page=50, step=50), open=opening)
        async with open_house(database, spec) as house:
            yield house, spec


async def connected(house: House, world: World) -> Connection:
    """A mailbox with a credential that nothing needs to open."""
    connection = await house.connect("gmail", {}, account=world.address)
    async with house.services.database.transaction() as tx:
        await tenants.ensure_local(tx)
        given = Token(token=SecretStr("token"))
        await OPENING.give(tx, LOCAL_TENANT, connection.id, given, actor="test")
    return connection


OPENING = doors()


async def test_a_mail_is_read_by_the_run_that_a_push_leads_to_and_an_old_push_leads_to_none(
    database: Database,
) -> None:
    world = World()
    mailbox(world, messages=10)
    opening = replace(doors(), egress=hub.LOOPBACK)
    async with (
        mail_house(database, world) as (house, _),
        pushing.google() as signer,
        asking(database, MemoryEventLog(), opening=opening, hinting=signer.settings) as client,
    ):
        connection = await connected(house, world)
        await house.ingest(connection)
        old = world.history
        world.deliver(mail(11))
        world.calls.clear()

        async def pushed(history: int) -> list[Run]:
            body = push(world.address, history)
            await client.post("/v1/hints/gmail", headers=signer.headers(), content=body)
            return await led(house)

        stale = await pushed(old)
        fresh = await pushed(world.history)
        late = await pushed(old + 1)

    assert (stale, late) == ([], [])
    assert [run.counts.processed for run in fresh] == [1]
    assert world.calls.count(Call.MESSAGE) == 1


async def test_a_mailbox_is_asked_to_tell_once_a_day_by_one_worker(database: Database) -> None:
    world = World()
    async with mail_house(database, world) as (house, _):
        connection = await connected(house, world)
        workers = [Arming(house.services, PUSHED) for _ in range(2)]

        asked = [await each.look() for each in (*workers, *workers)]
        topic = world.topic
        async with database.transaction() as tx:
            armed = await watches.is_armed(tx, LOCAL_TENANT, connection.id)
            tomorrow = await watches.due(tx, ["gmail"], moment=now() + timedelta(days=1, hours=1))
            today = await watches.due(tx, ["gmail"], moment=now() + timedelta(hours=23))
        unasked = await Arming(house.services, HintSettings.model_construct()).look()

    assert asked == [1, 0, 0, 0]
    assert (topic, armed, unasked) == (TOPIC, True, 0)
    assert [each.id for each in tomorrow] == [connection.id]
    assert today == []


async def test_one_that_cannot_be_asked_is_asked_again_soon(database: Database) -> None:
    world = World(faults={Fault.SCOPE: 1})
    async with mail_house(database, world) as (house, _):
        await connected(house, world)

        failed = await Arming(house.services, PUSHED).look()
        async with database.transaction() as tx:
            soon = await watches.due(tx, ["gmail"], moment=now() + watches.PATIENCE)

    assert (failed, len(soon)) == (0, 1)


@pytest.mark.parametrize("away", [False, True])
async def test_who_disconnects_is_told_of_no_more(database: Database, *, away: bool) -> None:
    world = World()
    async with mail_house(database, world) as (house, spec):
        connection = await connected(house, world)
        await Arming(house.services, PUSHED).look()
        opening = replace(OPENING, specs={"gmail": spec})
        if away:
            world.faults[Fault.SCOPE] = 1
        async with asking(database, MemoryEventLog(), opening=opening) as client:
            erased = await client.delete(f"/v1/connections/{connection.id}")
        async with database.reading() as tx:
            armed = await watches.is_armed(tx, LOCAL_TENANT, connection.id)

    assert erased.status_code == 202
    assert (world.topic, armed) == (TOPIC if away else None, False)
