"""The GitHub connector keeps every promise in each of its parts, on the fake."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from connectors.artifact import ExternalId, PartitionKey
from connectors.conformance import PROMISES, Promise
from connectors.github import CONNECTOR
from connectors.github.config import GitHubConfig
from connectors.github.crawl import open_github
from connectors.github.fake.app import Fake
from connectors.github.fake.world import Account, Repo
from connectors.world import World
from tests import hub

GITHUB = replace(CONNECTOR, open=partial(open_github, page=2, few=2))


@asynccontextmanager
async def github_world(part: PartitionKey) -> AsyncGenerator[World]:
    fake = hub.fake()
    repo = hub.small(fake)
    keys = hub.Keys(fake)
    edit, remove = CHANGES[part]
    async with hub.reachable(fake) as origin:

        async def edited() -> ExternalId:
            return edit(fake, repo)

        async def removed() -> ExternalId:
            return remove(fake, repo)

        async def outdate() -> None:
            del fake.world.accounts[keys.held]
            fake.world.accounts["ghp_new"] = Account("ada")
            keys.renewable = "ghp_new"

        async def revoke() -> None:
            fake.world.accounts.clear()

        async def expire() -> None:
            fake.world.force_push(repo, {"README.md": b"# Another history\n", "a.py": b"a = 1\n"})

        yield World(
            spec=GITHUB,
            config=GitHubConfig(repositories=(hub.NAME,), base_url=origin),
            partition=part,
            edit=edited,
            remove=removed,
            access=keys,
            outdate=outdate,
            revoke=revoke,
            expire=expire if part == hub.CODE else None,
            nowhere=GitHubConfig(repositories=("acme/nowhere",), base_url=origin),
        )


def edit_file(fake: Fake, repo: Repo) -> ExternalId:
    fake.world.push(repo, {"src/one.py": b"one = 11\n"})
    return ExternalId(f"file:{repo.id}:src/one.py")


def remove_file(fake: Fake, repo: Repo) -> ExternalId:
    fake.world.push(repo, {}, remove=["src/two.py"])
    return ExternalId(f"file:{repo.id}:src/two.py")


def edit_issue(fake: Fake, repo: Repo) -> ExternalId:
    fake.world.edit(repo.talks[2], "It broke again.")
    return ExternalId(f"issue:{repo.id}:2")


def remove_issue(fake: Fake, repo: Repo) -> ExternalId:
    del repo.talks[4]
    return ExternalId(f"issue:{repo.id}:4")


def edit_release(fake: Fake, repo: Repo) -> ExternalId:
    repo.releases[1].body = "Also this."
    return ExternalId(f"release:{repo.id}:{repo.releases[1].id}")


def remove_release(fake: Fake, repo: Repo) -> ExternalId:
    return ExternalId(f"release:{repo.id}:{repo.releases.pop(2).id}")


def edit_discussion(fake: Fake, repo: Repo) -> ExternalId:
    number = min(repo.discussions)
    fake.world.edit(repo.discussions[number], "Really, how?")
    return ExternalId(f"discussion:{repo.id}:{number}")


def remove_discussion(fake: Fake, repo: Repo) -> ExternalId:
    number = max(repo.discussions)
    del repo.discussions[number]
    return ExternalId(f"discussion:{repo.id}:{number}")


Change = Callable[[Fake, Repo], ExternalId]
CHANGES: dict[PartitionKey, tuple[Change, Change]] = {
    hub.CODE: (edit_file, remove_file),
    hub.ISSUES: (edit_issue, remove_issue),
    hub.RELEASES: (edit_release, remove_release),
    hub.DISCUSSIONS: (edit_discussion, remove_discussion),
}


@pytest.mark.parametrize("part", CHANGES, ids=lambda part: part.partition(":")[0])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise_is_kept(promise: Promise, part: PartitionKey) -> None:
    async with github_world(part) as world:
        await promise(world)
