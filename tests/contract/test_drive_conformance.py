"""The Drive connector keeps every promise, against the fake that is shipped beside it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from connectors.artifact import ExternalId
from connectors.conformance import PROMISES, Promise
from connectors.drive.config import DriveConfig
from connectors.drive.fake.world import World as Drives
from connectors.drive.protocol import Log
from connectors.world import World
from tests.google import Grants, drive, drive_spec

UNITS = 1_000_000_000


@asynccontextmanager
async def world(*, shared: bool) -> AsyncGenerator[World]:
    """The user's drive with a folder in it, of which that alone is chosen; or a shared drive."""
    drives = Drives()
    team = drives.share("Team")
    chosen = drives.folder("Plans", parent=team if shared else "0AOwnRoot")
    inner = drives.folder("Old", parent=chosen)
    texts = {f"{number}.txt": f"About {number}".encode() for number in range(3)}
    first, *others = [drives.add(name, text, parent=chosen) for name, text in texts.items()]
    deep = drives.add("Deep", b"# Deep", parent=inner, mime="application/vnd.google-apps.document")
    drives.add("photo.png", b"\x89PNG", parent=chosen, mime="image/png")
    drives.add("elsewhere.txt")
    grants = Grants("token")
    log = Log(team) if shared else Log()

    def named(file: str) -> ExternalId:
        return log.ref(file).external_id

    async def edit() -> ExternalId:
        drives.write(first, b"Something else.")
        return named(first)

    async def remove() -> ExternalId:
        drives.trash(others[1])
        return named(others[1])

    async def expire() -> None:
        drives.forget()

    async def outdate() -> None:
        drives.tokens = {"another"}
        grants.tokens.append("another")

    async def revoke() -> None:
        drives.tokens = set()

    with drive(drives) as origin:
        yield World(
            spec=drive_spec(origin, page=3),
            config=DriveConfig(units_a_minute=UNITS, folders=() if shared else (chosen,)),
            partition=log.key,
            access=grants,
            edit=edit,
            remove=remove,
            expire=expire,
            nowhere=DriveConfig(units_a_minute=UNITS, folders=("nowhere",)),
            outdate=outdate,
            revoke=revoke,
        )
    assert deep in drives.files


@pytest.mark.parametrize("shared", [False, True], ids=["chosen folder", "shared drive"])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise_is_kept(promise: Promise, *, shared: bool) -> None:
    async with world(shared=shared) as source:
        await promise(source)
