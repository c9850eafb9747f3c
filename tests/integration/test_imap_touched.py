"""Whatever comes, moves and goes while an inbox is being read, nothing that is there is missed."""

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import cast

import pytest
from imapclient import IMAPClient  # type: ignore[import-untyped]  # no types in it

from connectors.events import Checkpoint, Cursor, Event, Seen
from connectors.imap.crawl import MAIL, ImapConnector, open_imap
from connectors.world import artifacts
from tests.imap import ACCESS, Server, inbox, mail, serving

RUNS, BATCH = int(os.environ.get("HEADWATER_TEST_SEEDS", "40")), 20
"""How many crawls are disturbed; 1,000 take ten minutes: ``HEADWATER_TEST_SEEDS=1000``."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("imap")) as port:
        yield port


@dataclass(slots=True)
class Owner:
    """Somebody who is at two mailboxes, and what lies in them."""

    server: Server
    dice: Random
    there: dict[str, set[str]]
    numbers: Iterator[int] = field(default_factory=lambda: count(1_000))

    @property
    def mails(self) -> set[str]:
        return set().union(*self.there.values())

    async def receive(self) -> None:
        box, number = self.dice.choice(list(self.there)), next(self.numbers)
        await self.server.deliver(mail(number), mailbox=box)
        self.there[box].add(f"{number}@example.org")

    async def act(self) -> None:
        box, other = self.dice.sample(list(self.there), 2)
        match self.dice.randrange(4):
            case 0 | 1:
                await self.receive()
            case 2 if self.there[box]:
                await self.remove(box)
            case 3 if self.there[box]:
                await self.copy(await self.remove(box), other)

    async def remove(self, box: str) -> str:
        one = self.dice.choice(sorted(self.there[box]))
        await self.server.expunge(one, box)
        self.there[box].discard(one)
        return one

    async def copy(self, one: str, box: str) -> None:
        await self.server.deliver(mail(int(one.partition("@")[0])), mailbox=box)
        self.there[box].add(one)


@pytest.fixture
async def server(port: int) -> AsyncGenerator[Server]:
    async with inbox(port) as server:
        yield server


@pytest.mark.timeout(300)  # twenty crawls over real sockets
@pytest.mark.parametrize("first", range(0, RUNS, BATCH))
async def test_nothing_is_missed_of_what_changes_during_a_crawl(server: Server, first: int) -> None:
    """The next run, during which nobody touches anything, ends with all that is there."""
    boxes = (server.box, f"{server.box}-other")
    await server.do(lambda client: client.create_folder(boxes[1]))
    async with open_imap(server.config(*boxes), ACCESS, page=2) as connector:
        for seed in range(first, first + BATCH):
            dice = Random(seed)  # noqa: S311  # repeatable
            owner = Owner(server, dice, {box: set() for box in boxes})
            await once(connector, owner)
            assert await census(connector) == owner.mails, f"seed {seed}"
            for box in boxes:
                await server.do(partial(empty, box=box))


async def once(connector: ImapConnector, owner: Owner) -> None:
    for _ in range(owner.dice.randint(0, 12)):
        await owner.receive()
    told: list[Event] = []
    if owner.dice.random() < 0.5:  # it is killed in the middle
        told += await read(connector, None, owner, stop=owner.dice.randint(1, 12))
    told += await read(connector, last(told), owner)
    told += await read(connector, last(told))
    found = {each.ref.external_id.removeprefix("mail:") for each in artifacts(told)}
    assert owner.mails <= found


async def read(
    connector: ImapConnector, cursor: Cursor | None, owner: Owner | None = None, *, stop: int = 0
) -> list[Event]:
    """The events up to the last place of a run, to its end or for as long as it lasted."""
    told: list[Event] = []
    async with aclosing(cast("AsyncGenerator[Event]", connector.read(MAIL, cursor))) as events:
        async for event in events:
            told.append(event)
            if len(told) == stop:
                break
            if owner is not None and owner.dice.random() < 0.3:
                await owner.act()
    places = [number for number, event in enumerate(told, 1) if isinstance(event, Checkpoint)]
    return told[: places[-1]] if places else []


def last(told: list[Event]) -> Cursor | None:
    cursors = [event.cursor for event in told if isinstance(event, Checkpoint)]
    return cursors[-1] if cursors else None


async def census(connector: ImapConnector) -> set[str]:
    listed = [event async for event in connector.census(MAIL)]
    return {
        event.ref.external_id.removeprefix("mail:") for event in listed if isinstance(event, Seen)
    }


def empty(client: IMAPClient, box: str) -> None:
    client.select_folder(box)
    if uids := client.search():
        client.delete_messages(uids)
        client.expunge()
