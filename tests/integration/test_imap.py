"""What a real IMAP server holds is read once, whatever happens there meanwhile."""

from collections.abc import AsyncGenerator, Iterator

import pytest
from pydantic import SecretStr

from connectors.access import Given, Password
from connectors.artifact import SkipReason, whole_of
from connectors.connector import Content
from connectors.errors import (
    CursorExpired,
    ReauthorizationNeeded,
    SourceMissing,
    SourceUnavailable,
)
from connectors.events import CensusComplete, Checkpoint, Cursor, Event, Failed, Seen, Skipped
from connectors.imap.config import ImapCursor, narrow, scope_of
from connectors.imap.crawl import MAIL, ImapConnector, open_imap
from connectors.world import artifacts
from tests.imap import ACCESS, USER, Server, inbox, mail, serving


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("imap")) as port:
        yield port


@pytest.fixture
async def server(port: int) -> AsyncGenerator[Server]:
    async with inbox(port) as server:
        yield server


async def read(
    connector: ImapConnector, cursor: Cursor | None = None, *, until: type[Event] | None = None
) -> list[Event]:
    told: list[Event] = []
    async for event in connector.read(MAIL, cursor):
        told.append(event)
        if until and isinstance(event, until) and artifacts(told):
            break
    return told


def ids(events: list[Event]) -> list[str]:
    return [artifact.ref.external_id for artifact in artifacts(events)]


def is_quiet(events: list[Event]) -> bool:
    (end,) = [each for each in events if isinstance(each, Checkpoint) and each.done]
    return end.quiet


def last(events: list[Event]) -> ImapCursor:
    cursors = [event.cursor for event in events if isinstance(event, Checkpoint)]
    assert isinstance(cursors[-1], ImapCursor)
    return cursors[-1]


async def test_newest_mail_is_told_first(server: Server) -> None:
    await server.deliver(*(mail(number) for number in range(1, 4)))

    async with open_imap(server.config(), ACCESS) as connector:
        told = await read(connector)

    assert ids(told) == [f"mail:{number}@example.org" for number in (3, 2, 1)]


async def test_empty_inbox_is_read_to_its_end(server: Server) -> None:
    async with open_imap(server.config(), ACCESS) as connector:
        told = await read(connector)
        census = [event async for event in connector.census(MAIL)]

    assert last(told).done
    assert census == [CensusComplete(0)]


async def test_mail_that_comes_while_others_are_read_is_told(server: Server) -> None:
    await server.deliver(*(mail(number) for number in range(1, 5)))

    async with open_imap(server.config(), ACCESS, page=2) as connector:
        told: list[Event] = []
        async for event in connector.read(MAIL, None):
            told.append(event)
            if len(artifacts(told)) == 2 and isinstance(event, Checkpoint):
                await server.deliver(mail(9))

    assert "mail:9@example.org" in ids(told)
    assert len(set(ids(told))) == 5


async def test_next_read_tells_only_what_is_new(server: Server) -> None:
    await server.deliver(mail(1), mail(2))
    async with open_imap(server.config(), ACCESS) as connector:
        finished = last(await read(connector))
    await server.deliver(mail(3))

    async with open_imap(server.config(), ACCESS) as connector:
        told = await read(connector, finished)

    assert ids(told) == ["mail:3@example.org"]


@pytest.mark.parametrize("gone", [False, True])
async def test_inbox_says_whether_nothing_can_have_left_it(server: Server, *, gone: bool) -> None:
    await server.deliver(mail(1), mail(2))
    async with open_imap(server.config(), ACCESS) as connector:
        first = await read(connector)
    if gone:
        await server.expunge("1@example.org")

    async with open_imap(server.config(), ACCESS) as connector:
        second = await read(connector, last(first))

    assert [is_quiet(first), is_quiet(second)] == [False, not gone]


async def test_inbox_is_not_quiet_for_as_many_mails_as_it_had_before_one_came_and_one_left(
    server: Server,
) -> None:
    await server.deliver(mail(1), mail(2))
    async with open_imap(server.config(), ACCESS) as connector:
        first = await read(connector)
        await server.deliver(mail(3))
        second = await read(connector, last(first))
        await server.expunge("1@example.org")
        third = await read(connector, last(second))

    assert [is_quiet(each) for each in (first, second, third)] == [False, False, False]


async def test_mailbox_that_is_numbered_anew_costs_nobody_a_download(server: Server) -> None:
    await server.deliver(mail(1), mail(2))
    async with open_imap(server.config(), ACCESS) as connector:
        before = await read(connector)
    await server.do(lambda client: client.delete_folder(server.box))
    await server.do(lambda client: client.create_folder(server.box))
    await server.deliver(mail(1), mail(2))

    async with open_imap(server.config(), ACCESS) as connector:
        after = await read(connector, last(before))

    versions = {each.ref: each.version for each in artifacts(before)}
    assert {each.ref: each.version for each in artifacts(after)} == versions


async def test_numbers_of_another_time_expire_the_place(server: Server) -> None:
    async with open_imap(server.config(), ACCESS) as connector:
        with pytest.raises(CursorExpired):
            await connector.session.uids(server.box, 1, 1, 9)


async def test_mail_in_two_mailboxes_is_one(server: Server) -> None:
    other = f"{server.box}-sent"
    await server.do(lambda client: client.create_folder(other))
    await server.deliver(mail(1), mail(2))
    await server.deliver(mail(1), mailbox=other)

    async with open_imap(server.config(server.box, other), ACCESS) as connector:
        told = await read(connector)
        seen = [event async for event in connector.census(MAIL) if isinstance(event, Seen)]

    assert sorted(ids(told)) == ["mail:1@example.org", "mail:2@example.org"]
    assert len(seen) == 2


async def test_mailbox_that_is_gone_is_a_failure_and_no_deletion(server: Server) -> None:
    await server.deliver(mail(1))

    async with open_imap(server.config(server.box, "No such"), ACCESS) as connector:
        told = await read(connector)
        census = [event async for event in connector.census(MAIL)]

    assert [event.title for event in told if isinstance(event, Failed)] == ["No such"]
    assert not any(isinstance(event, CensusComplete) for event in census)


async def test_bulk_mail_is_set_aside_without_a_download(server: Server) -> None:
    await server.deliver(mail(1), mail(2, "Buy!", "List-Unsubscribe: <https://example.org/u>"))

    async with open_imap(server.config(), ACCESS) as connector:
        told = await read(connector)

    skipped = [event for event in told if isinstance(event, Skipped)]
    assert [event.reason for event in skipped] == [SkipReason.BULK]
    assert ids(told) == ["mail:1@example.org"]


async def test_what_a_reply_repeats_is_cut_only_if_it_is_in_the_inbox(server: Server) -> None:
    quote = "Yes.\r\n\r\nOn Mon, 2 Nov 2026, Bob <b@example.org> wrote:\r\n> The question"
    await server.deliver(
        mail(1),
        mail(2, quote, "In-Reply-To: <1@example.org>"),
        mail(3, quote, "In-Reply-To: <elsewhere@example.org>"),
    )

    async with open_imap(server.config(), ACCESS) as connector:
        refs = [artifact.ref for artifact in artifacts(await read(connector))]
    async with open_imap(server.config(), ACCESS) as connector:  # which has listed nothing
        fetched = await connector.fetch(refs)

    texts = {str(ref.external_id): str(got) for ref, got in fetched.items()}
    assert "The question" not in texts["mail:2@example.org"]
    assert "The question" in texts["mail:3@example.org"]


async def test_attached_text_is_an_artifact_that_goes_with_its_mail(server: Server) -> None:
    kind = 'Content-Type: multipart/mixed; boundary="z"'
    parts = (
        "--z\r\n\r\nSee the file.\r\n--z\r\nContent-Type: text/csv; name=a.csv\r\n"
        "Content-Disposition: attachment; filename=a.csv\r\n\r\none,two\r\n--z--"
    )
    await server.deliver(mail(1, parts, kind))

    async with open_imap(server.config(), ACCESS) as connector:
        refs = [artifact.ref for artifact in artifacts(await read(connector))]
        (got,) = (await connector.fetch(refs)).values()

    assert isinstance(got, Content)
    (file,) = got.parts
    assert isinstance(file, Content)
    assert file.artifact.title == "a.csv"
    assert file.body.strip() == b"one,two"
    assert whole_of(file.artifact.ref.external_id) == "mail:1@example.org"
    assert b"- a.csv (text/csv)" in got.body


async def test_wrong_password_asks_its_owner(server: Server) -> None:
    wrong = Given(Password(user=USER, password=SecretStr("another")), source="The server")

    async with open_imap(server.config(), wrong) as connector:
        with pytest.raises(ReauthorizationNeeded) as caught:
            await read(connector)

    assert "another" not in str(caught.value)


async def test_server_that_does_not_answer_is_tried_again_later(server: Server) -> None:
    config = server.config().model_copy(update={"port": 1})

    async with open_imap(config, ACCESS) as connector:
        with pytest.raises(SourceUnavailable):
            await read(connector)


async def test_chosen_mailboxes_are_all_that_is_read(server: Server) -> None:
    config = narrow(server.config(), [scope_of("No such")])

    async with open_imap(config, ACCESS) as connector:
        with pytest.raises(SourceMissing):
            await read(connector)
