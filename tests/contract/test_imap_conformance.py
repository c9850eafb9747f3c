"""The IMAP connector keeps every promise, against a real server."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from pydantic import SecretStr

from connectors.access import Credential, Password
from connectors.artifact import ExternalId
from connectors.conformance import PROMISES, Promise
from connectors.imap import CONNECTOR
from connectors.imap.crawl import MAIL, open_imap
from connectors.world import World
from tests.imap import PASSWORD, USER, Server, inbox, mail, serving

IMAP = replace(CONNECTOR, open=partial(open_imap, page=2))
RIGHT = Password(user=USER, password=SecretStr(PASSWORD))
WRONG = Password(user=USER, password=SecretStr("another"))


class Ring:
    """An access whose password can be changed, and maybe given anew."""

    def __init__(self) -> None:
        self.held, self.next = RIGHT, RIGHT

    async def credential(self) -> Credential:
        return self.held

    async def renew(self, refused: Credential) -> Credential:  # noqa: ARG002  # there is one
        self.held = self.next
        return self.held


@asynccontextmanager
async def world(port: int) -> AsyncGenerator[World]:
    async with inbox(port) as server:
        yield await prepared(server)


async def prepared(server: Server) -> World:
    ring = Ring()
    await server.deliver(*(mail(number) for number in range(1, 7)))

    async def edit() -> ExternalId:
        await server.expunge("2@example.org")
        await server.deliver(mail(2, "Hello again, and better put."))
        return ExternalId("mail:2@example.org")

    async def remove() -> ExternalId:
        await server.expunge("4@example.org")
        return ExternalId("mail:4@example.org")

    async def outdate() -> None:
        ring.held = WRONG

    async def revoke() -> None:
        ring.held = ring.next = WRONG

    return World(
        spec=IMAP,
        config=server.config(),
        partition=MAIL,
        access=ring,
        edit=edit,
        remove=remove,
        outdate=outdate,
        revoke=revoke,
        nowhere=server.config("No such mailbox"),
    )


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("imap")) as port:
        yield port


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise_is_kept(port: int, promise: Promise) -> None:
    async with world(port) as source:
        await promise(source)
