"""Our connectors keep every promise."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from connectors import conformance
from connectors.artifact import ExternalId
from connectors.conformance import PROMISES, Promise
from connectors.local import CONNECTOR
from connectors.local.crawl import FILES, open_local
from connectors.world import World
from tests import trees
from tests.notes import locked_world, notes_world

CONTENT: trees.Files = {
    "README.md": "# A thing\n",
    "src/one.py": "one = 1\n",
    "src/two.py": "two = 2\n",
    "src/odd\nname %.py": "odd = 3\n",
    "deep/down/here.md": "Here.\n",
    "tests/test_one.py": "assert True\n",
    "logo.png": b"\x89PNG",
    "empty.txt": "",
}
LOCAL = replace(CONNECTOR, open=partial(open_local, checkpoint_every=2))
EDITED, REMOVED = ExternalId("file:src/one.py"), ExternalId("file:src/two.py")


@asynccontextmanager
async def folder_world() -> AsyncGenerator[World]:
    with trees.unprivileged() as home:
        root = trees.write(home / "plain", CONTENT)

        async def edit() -> ExternalId:
            trees.write(root, {"src/one.py": "one = 11\n"})
            return EDITED

        async def remove() -> ExternalId:
            (root / "src/two.py").unlink()
            return REMOVED

        async def interrupt() -> None:
            (root / "deep/down").chmod(0)

        yield World(
            spec=LOCAL,
            config=trees.config(root),
            partition=FILES,
            edit=edit,
            remove=remove,
            interrupt=interrupt,
            nowhere=trees.config(home / "nowhere"),
        )


@asynccontextmanager
async def repository_world() -> AsyncGenerator[World]:
    with trees.unprivileged() as home:
        root = trees.repository(home / "project", CONTENT)

        async def edit() -> ExternalId:
            trees.commit(root, {"src/one.py": "one = 11\n"})
            return EDITED

        async def remove() -> ExternalId:
            (root / "src/two.py").unlink()
            trees.commit(root)
            return REMOVED

        async def expire() -> None:
            forget_history(root)

        yield World(
            spec=LOCAL,
            config=trees.config(root),
            partition=FILES,
            edit=edit,
            remove=remove,
            expire=expire,
            nowhere=trees.config(home / "nowhere"),
        )


@asynccontextmanager
async def memory_world() -> AsyncGenerator[World]:
    yield notes_world()


@asynccontextmanager
async def locked_memory_world() -> AsyncGenerator[World]:
    yield locked_world()


def forget_history(root: Path) -> None:
    """What a force-push and a later garbage collection do to the commit that we had pinned."""
    trees.git(root, "commit", "--quiet", "--amend", "--message", "Another history")
    trees.git(root, "reflog", "expire", "--expire=now", "--all")
    trees.git(root, "gc", "--quiet", "--prune=now")


WORLDS = {
    "memory": memory_world,
    "locked memory": locked_memory_world,
    "folder": folder_world,
    "repository": repository_world,
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[World]:
    return WORLDS[request.param]()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise_is_kept(world: AbstractAsyncContextManager[World], promise: Promise) -> None:
    async with world as source:
        await promise(source)


async def test_all_promises_can_be_checked_at_once_without_a_test_runner() -> None:
    await conformance.verify(memory_world)
