"""A Gmail that others have written, at Google's own addresses, through the operator's proxy."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from connectors import egress
from connectors.errors import CursorExpired
from connectors.events import Checkpoint, Cursor, Event
from connectors.gmail.config import GmailCursor
from connectors.gmail.crawl import MAIL, GmailConnector, open_gmail
from connectors.world import artifacts
from tests.google import UNHURRIED, Grants
from tests.otherworld import OWNER, Otherworld, otherworld


@pytest.fixture
async def other(tmp_path: Path) -> AsyncGenerator[Otherworld]:
    async with otherworld(tmp_path) as other:
        yield other


@pytest.fixture
async def connector(other: Otherworld) -> AsyncGenerator[GmailConnector]:
    with egress.excepting(other.exceptions):
        async with open_gmail(UNHURRIED, Grants(other.token)) as connector:
            yield connector


async def read(connector: GmailConnector, cursor: Cursor | None = None) -> list[Event]:
    return [event async for event in connector.read(MAIL, cursor)]


def last(events: Sequence[Event]) -> GmailCursor:
    cursors = [event.cursor for event in events if isinstance(event, Checkpoint)]
    assert isinstance(cursors[-1], GmailCursor)
    return cursors[-1]


async def test_mailbox_is_read_to_its_end_and_what_comes_later_is_told_alone(
    other: Otherworld, connector: GmailConnector
) -> None:
    account = await connector.account()
    there = await other.mails()

    first = await read(connector)
    came = await other.receive("Later", "It has come later.")
    second = await read(connector, last(first))
    (new,) = [artifact.ref for artifact in artifacts(second)]
    body = (await connector.fetch([new]))[new]

    assert account is not None
    assert account.name == OWNER
    told = [artifact.ref.external_id for artifact in artifacts(first)]
    assert sorted(told) == sorted(f"gmail:{each}" for each in there)
    assert new.external_id == f"gmail:{came}"
    assert "It has come later." in str(body)


async def test_history_that_was_forgotten_is_an_expired_cursor(connector: GmailConnector) -> None:
    place = last(await read(connector))

    with pytest.raises(CursorExpired):
        await read(connector, place.model_copy(update={"anchor": "1"}))
