"""A Gmail mailbox is read whole and cheaply, whatever happens there meanwhile."""

import os
from collections import Counter
from email.message import EmailMessage
from random import Random

import pytest

from connectors.artifact import Ref, SkipReason
from connectors.cell import open_cell
from connectors.connector import Content
from connectors.errors import (
    ArtifactGone,
    CursorExpired,
    ReauthorizationNeeded,
    SourceUnavailable,
)
from connectors.events import (
    CensusComplete,
    Checkpoint,
    Cursor,
    Event,
    Seen,
    Skipped,
    Tombstone,
    Waiting,
)
from connectors.fakes.google import Fault
from connectors.gmail.config import GmailConfig, GmailCursor, Table
from connectors.gmail.crawl import MAIL, GmailConnector
from connectors.gmail.fake.generate import mail, mailbox
from connectors.gmail.fake.world import World
from connectors.gmail.quota import Call, prices
from connectors.mail import contents
from connectors.mail.reading import Mail
from connectors.mail.reading import read as read_mail
from connectors.world import artifacts
from tests import papers
from tests.google import UNHURRIED, Grants, Hurried, gmail, opened

Told = dict[str, bool]

SEEDS = "HEADWATER_TEST_SEEDS"
"""How many crawls are disturbed; 1,000 take ten minutes: ``HEADWATER_TEST_SEEDS=1000``."""


async def read(
    connector: GmailConnector, cursor: Cursor | None = None, *, stop: int | None = None
) -> list[Event]:
    told: list[Event] = []
    async for event in connector.read(MAIL, cursor):
        told.append(event)
        if len(artifacts(told)) == stop and isinstance(event, Checkpoint):
            break
    return told


def ids(events: list[Event]) -> list[str]:
    return [each.ref.external_id.removeprefix("gmail:") for each in artifacts(events)]


def refs(events: list[Event]) -> list[Ref]:
    return [artifact.ref for artifact in artifacts(events)]


def last(events: list[Event]) -> GmailCursor:
    cursors = [event.cursor for event in events if isinstance(event, Checkpoint)]
    assert isinstance(cursors[-1], GmailCursor)
    return cursors[-1]


def kept(events: list[Event], so_far: set[str]) -> set[str]:
    """What there is after these events, in their order."""
    for event in events:
        if isinstance(event, Tombstone):
            so_far.discard(event.ref.external_id.removeprefix("gmail:"))
        else:
            so_far.update(ids([event]))
    return so_far


async def tally(connector: GmailConnector) -> Counter[str]:
    """How many mails a read tells, and the bytes of its largest cursor. Nothing is kept."""
    told: Counter[str] = Counter()
    async for event in connector.read(MAIL, None):
        told["mails"] += len(artifacts([event]))
        if isinstance(event, Checkpoint):
            size = len(event.cursor.model_dump_json())
            told["largest cursor"] = max(told["largest cursor"], size)
    return told


async def crawl(connector: GmailConnector) -> tuple[int, list[Waiting]]:
    """Read and fetch as a run does: a checkpoint's mails at a time. What came, and the waits."""
    page: list[Event] = []
    waits: list[Waiting] = []
    number = 0
    async for event in connector.read(MAIL, None):
        page.append(event)
        if isinstance(event, Checkpoint):
            got = await connector.fetch(refs(page))
            number += sum(isinstance(each, Content) for each in got.values())
            waits += [each for each in page if isinstance(each, Waiting)]
            page.clear()
    return number, waits


@pytest.mark.timeout(300)  # 5,000 answers, each held against Google's schema
async def test_threaded_mailbox_costs_at_most_60_percent_of_its_mails_one_by_one() -> None:
    world = World()
    mailbox(world, messages=5_000)
    table = prices(UNHURRIED)

    with gmail(world) as origin:
        async with opened(origin) as connector:
            number, _ = await crawl(connector)

    spent = world.units(table) / (5_000 * table.units[Call.MESSAGE])
    print(f"{spent:.0%} of one messages.get a message, in {world.requests} requests")  # noqa: T201
    assert number == 5_000
    assert spent <= 0.60


async def test_empty_mailbox_is_read_to_its_end() -> None:
    with gmail(World()) as origin:
        async with opened(origin) as connector:
            told = await read(connector)
            census = [event async for event in connector.census(MAIL)]

    assert last(told).phase == "done"
    assert census == [CensusComplete(0)]


@pytest.mark.timeout(180)
async def test_mailbox_of_200_000_mails_is_listed_in_a_request_a_page() -> None:
    world = World()
    for number in range(200_000):
        world.deliver(b"", thread=f"{number // 4:x}")

    with gmail(world, checked=False) as origin:
        async with opened(origin, step=1_000) as connector:
            told = await tally(connector)

    assert told["mails"] == 200_000
    assert world.requests == 400 + 2  # the pages, the profile, and what happened since
    assert told["largest cursor"] < 500


async def test_newest_conversation_comes_first_and_as_a_whole() -> None:
    world = World()
    old = world.deliver(mail(1))
    middle = world.deliver(mail(2))
    new = world.deliver(mail(3, 1), thread=old)

    with gmail(world) as origin:
        async with opened(origin) as connector:
            told = await read(connector)

    assert ids(told) == [new, old, middle]


async def test_mail_that_comes_during_the_crawl_is_found() -> None:
    world = World()
    mailbox(world, messages=30)
    arrived: list[str] = []
    world.before = lambda at: (
        arrived.append(at.deliver(mail(99))) if len(at.calls) == 2 and not arrived else None
    )

    with gmail(world) as origin:
        async with opened(origin, page=5, step=5) as connector:
            told = await read(connector)

    assert arrived
    assert set(ids(told)) == set(world.messages)


@pytest.mark.timeout(300)  # twenty crawls over real sockets
@pytest.mark.parametrize("twenty", range(int(os.environ.get(SEEDS, "40")) // 20))
async def test_nothing_is_missed_of_what_changes_during_a_crawl(twenty: int) -> None:
    for seed in range(20 * twenty, 20 * twenty + 20):
        world, dice = World(), Random(seed)  # noqa: S311  # repeatable
        mailbox(world, messages=dice.randint(0, 16), seed=seed, mean=3)
        stop = dice.choice([None, dice.randint(1, 12)])
        world.before = lambda at, dice=dice: meddle(at, dice)
        with gmail(world, checked=False) as origin:
            async with opened(origin, page=3, step=2) as connector:
                first = await read(connector, stop=stop)
            async with opened(origin, page=3, step=2) as connector:
                rest = [] if stop is None else await read(connector, last(first))
            world.before = None
            async with opened(origin, page=3, step=2) as connector:
                after = await read(connector, last(rest or first))

        there = {message.id for message in world.listing()}
        found = kept([*first, *rest, *after], set())
        assert there <= found, f"missed with the seed {seed}"


def meddle(world: World, dice: Random) -> None:
    """Somebody is at the mailbox."""
    names = sorted(world.messages)
    match dice.randrange(8):
        case 0 | 1:
            thread = world.messages[dice.choice(names)].thread if names else ""
            world.deliver(mail(dice.randrange(10**9)), thread=dice.choice(["", thread]))
        case 2 if names and dice.random() < 0.5:
            world.delete(dice.choice(names))
        case 3 if names:
            world.label(dice.choice(names), "TRASH")
        case 4 if names:
            world.label(dice.choice(names), removed=("TRASH",))
        case _:
            return


async def test_forgotten_history_loses_nothing_and_downloads_nothing_again() -> None:
    world = World()
    mailbox(world, messages=10)
    with gmail(world) as origin:
        async with opened(origin) as connector:
            before = await read(connector)
        world.forget()
        late = world.deliver(mail(99))
        world.forget()
        async with opened(origin) as connector:
            with pytest.raises(CursorExpired):
                await read(connector, last(before))
            after = await read(connector)

    versions = {each.ref: each.version for each in artifacts(after)}
    assert late in ids(after)
    assert versions.items() >= {each.ref: each.version for each in artifacts(before)}.items()
    assert Call.MESSAGE not in world.calls
    assert Call.THREAD not in world.calls


async def test_crawl_that_was_killed_goes_on_at_its_last_step() -> None:
    world = World()
    mailbox(world, messages=60)
    with gmail(world) as origin:
        async with opened(origin, page=10, step=10) as connector:
            first = await read(connector, stop=20)
        async with opened(origin, page=10, step=10) as connector:
            rest = await read(connector, last(first))

    assert set(ids(first)) | set(ids(rest)) == set(world.messages)
    assert not set(ids(first)) & set(ids(rest))


async def test_deleted_and_trashed_mail_is_told_as_gone() -> None:
    world = World()
    deleted, trashed, _ = (world.deliver(mail(number)) for number in range(3))
    with gmail(world) as origin:
        async with opened(origin) as connector:
            finished = last(await read(connector))
        world.delete(deleted)
        world.label(trashed, "TRASH")
        world.label(trashed, "IMPORTANT")
        async with opened(origin) as connector:
            told = await read(connector, finished)

    gone = {event.ref.external_id for event in told if isinstance(event, Tombstone)}
    assert gone == {f"gmail:{deleted}", f"gmail:{trashed}"}
    assert not artifacts(told)


async def test_label_or_a_look_at_a_mail_downloads_nothing() -> None:
    world = World()
    name = world.deliver(mail(1))
    with gmail(world) as origin:
        async with opened(origin) as connector:
            finished = last(await read(connector))
        world.label(name, "STARRED", removed=("UNREAD",))
        async with opened(origin) as connector:
            told = await read(connector, finished)

    assert not artifacts(told)


async def test_census_during_a_deletion_is_taken_again() -> None:
    world = World()
    mailbox(world, messages=9)
    newest = world.listing()[0].id
    world.before = lambda at: (
        at.delete(newest) if at.calls.count(Call.LIST) == 1 and newest in at.messages else None
    )

    with gmail(world) as origin:
        async with opened(origin, page=3) as connector:
            census = [event async for event in connector.census(MAIL)]

    seen = {event.ref.external_id for event in census if isinstance(event, Seen)}
    assert seen >= {f"gmail:{name}" for name in world.messages}
    assert isinstance(census[-1], CensusComplete)


async def test_parts_of_a_batch_that_were_refused_are_asked_again() -> None:
    world, hurried = World(), Hurried()
    mailbox(world, messages=12, mean=1)
    with gmail(world) as origin:
        async with opened(origin, clock=hurried.clock) as connector:
            told = refs(await read(connector))
            world.faults = {Fault.PACE: 3, Fault.TOO_MANY: 2, Fault.SERVER: 2}
            got = await connector.fetch(told)

    assert all(isinstance(each, Content) for each in got.values())
    assert world.calls.count(Call.MESSAGE) == 12
    assert hurried.slept > 0


async def test_gone_mail_spoils_no_other() -> None:
    world = World()
    first = world.deliver(mail(1))
    second = world.deliver(mail(2, 1), thread=first)
    with gmail(world) as origin:
        async with opened(origin) as connector:
            told = refs(await read(connector))
            world.delete(first)
            got = await connector.fetch(told)

    answers = {str(ref.external_id): answer for ref, answer in got.items()}
    assert isinstance(answers[f"gmail:{first}"], ArtifactGone)
    assert isinstance(answers[f"gmail:{second}"], Content)


async def test_wait_for_the_quota_is_told_with_its_end() -> None:
    world, hurried = World(), Hurried()
    mailbox(world, messages=60, mean=1)
    slow = GmailConfig(units_a_minute=400)
    with gmail(world) as origin:
        async with opened(origin, config=slow, step=20, clock=hurried.clock) as connector:
            _, waits = await crawl(connector)

    assert waits
    assert all(wait.until for wait in waits)
    assert hurried.slept >= 120  # 60 mails of 20 units at 400 a minute


async def test_scope_that_was_taken_back_asks_its_owner() -> None:
    world = World(faults={Fault.SCOPE: 1})
    with gmail(world) as origin:
        async with opened(origin) as connector:
            with pytest.raises(ReauthorizationNeeded) as caught:
                await read(connector)

    assert caught.value.cause == "scope_reduced"


async def test_page_of_a_proxy_is_tried_again_later_and_no_empty_mailbox() -> None:
    world = World(faults={Fault.GARBAGE: 1})
    with gmail(world) as origin:
        async with opened(origin) as connector:
            with pytest.raises(SourceUnavailable):
                await read(connector)


async def test_token_that_expires_in_the_middle_of_a_batch_is_renewed() -> None:
    world, grants = World(), Grants("token", "another")
    mailbox(world, messages=6, mean=1)
    with gmail(world) as origin:
        async with opened(origin, access=grants) as connector:
            told = refs(await read(connector))
            world.tokens = {"another"}
            got = await connector.fetch(told)

    assert all(isinstance(each, Content) for each in got.values())


async def test_copy_over_imap_is_the_same_text_under_the_same_message_id() -> None:
    world = World()
    raw = (
        b"From: =?utf-8?q?Ren=C3=A9?= <r@example.org>\r\nTo: ann@example.org\r\n"
        b"Subject: =?utf-8?q?Caf=C3=A9?=\r\nMessage-ID: <copy@example.org>\r\n"
        b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n"
        b"Content-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nCaf\xe9 at 9?\r\n--y\r\n"
        b"Content-Type: text/html\r\n\r\n<p>Cafe at 9?</p>\r\n--y--\r\n--z\r\n"
        b"Content-Type: text/csv; name=a.csv\r\n\r\none,two\r\n--z--\r\n"
    )
    world.deliver(raw)
    with gmail(world) as origin:
        async with opened(origin) as connector:
            (got,) = (await connector.fetch(refs(await read(connector)))).values()
    async with open_cell() as cell:
        other = await read_mail(cell, Mail(raw, known=False))

    assert isinstance(got, Content)
    assert got.body == other.text.encode()
    assert got.artifact.meta["message_id"] == other.message_id
    assert [part.body for part in got.parts if isinstance(part, Content)] == [
        part.content for part in other.attachments if contents.is_wanted(part)
    ]


async def test_attached_document_is_its_text_and_one_that_is_not_says_why() -> None:
    world = World()
    letter = EmailMessage()
    letter["Subject"], letter["From"] = "Papers", "bob@example.org"
    letter.set_content("As we said.")
    for name, data in {
        "terms.pdf": papers.pdf(),
        "locked.pdf": papers.pdf(encrypted=True),
        "torn.docx": papers.word()[:2_000],
    }.items():
        letter.add_attachment(data, "application", "octet-stream", filename=name)
    world.deliver(letter.as_bytes())
    with gmail(world) as origin:
        async with opened(origin) as connector:
            (got,) = (await connector.fetch(refs(await read(connector)))).values()

    assert isinstance(got, Content)
    read_ones = {each.artifact.title: each.body for each in got.parts if isinstance(each, Content)}
    skips = {each.title: each.reason for each in got.parts if isinstance(each, Skipped)}
    assert read_ones == {"terms.pdf": b"Terms of delivery\n"}
    assert skips == {"locked.pdf": SkipReason.ENCRYPTED, "torn.docx": SkipReason.UNREADABLE}


async def test_bulk_mail_is_set_aside_with_its_reason() -> None:
    world = World()
    world.deliver(b"List-Id: <news.example.org>\r\n" + mail(1))
    with gmail(world) as origin:
        async with opened(origin) as connector:
            (got,) = (await connector.fetch(refs(await read(connector)))).values()

    assert isinstance(got, Skipped)
    assert got.reason is SkipReason.BULK


def test_prices_are_those_of_the_table_that_the_project_is_under() -> None:
    new, old = prices(GmailConfig()), prices(GmailConfig(table=Table.LEGACY))

    assert (new.units[Call.MESSAGE], new.units[Call.THREAD], new.a_minute) == (20, 40, 6_000)
    assert (old.units[Call.MESSAGE], old.units[Call.THREAD], old.a_minute) == (5, 10, 15_000)
