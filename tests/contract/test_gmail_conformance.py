"""The Gmail connector keeps every promise, against the fake that is shipped beside it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from connectors.artifact import ExternalId
from connectors.conformance import PROMISES, Promise
from connectors.gmail.crawl import MAIL
from connectors.gmail.fake.generate import mail
from connectors.gmail.fake.world import World as Mailbox
from connectors.world import World
from tests.google import UNHURRIED, Grants, gmail, spec


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    mailbox = Mailbox()
    first, *others = [mailbox.deliver(mail(number)) for number in range(7)]
    mailbox.deliver(mail(8, 0), thread=first)
    grants = Grants("token")

    async def edit() -> ExternalId:
        return ExternalId(f"gmail:{mailbox.deliver(mail(9))}")

    async def remove() -> ExternalId:
        mailbox.delete(others[2])
        return ExternalId(f"gmail:{others[2]}")

    async def expire() -> None:
        mailbox.forget()

    async def outdate() -> None:
        mailbox.tokens = {"another"}
        grants.tokens.append("another")

    async def revoke() -> None:
        mailbox.tokens = set()

    with gmail(mailbox) as origin:
        yield World(
            spec=spec(origin, page=3, step=2),
            config=UNHURRIED,
            partition=MAIL,
            access=grants,
            edit=edit,
            remove=remove,
            expire=expire,
            outdate=outdate,
            revoke=revoke,
        )


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise_is_kept(promise: Promise) -> None:
    async with world() as source:
        await promise(source)
