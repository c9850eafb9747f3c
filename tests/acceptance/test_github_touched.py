"""Whatever is touched while GitHub is being read is there in the end: nothing is missed."""

import os
import random
from collections.abc import Callable

import pytest

from connectors.artifact import PartitionKey
from connectors.errors import CursorExpired
from connectors.events import Checkpoint, Event
from connectors.github.config import GitHubCursor
from connectors.github.crawl import GitHubConnector
from connectors.github.fake.app import Fake
from connectors.github.fake.world import Repo, Talk, World
from tests import hub

RUNS, BATCH = int(os.environ.get("HEADWATER_TEST_SEEDS", "200")), 50
"""How many crawls are disturbed; 1,000 take two minutes: ``HEADWATER_TEST_SEEDS=1000``."""


def touch(world: World, repo: Repo, chance: random.Random) -> None:
    """Something that people do, anywhere in the repository."""
    talks, discussions = list(repo.talks.values()), list(repo.discussions.values())
    deeds: list[Callable[[], object]] = [
        lambda: world.edit(chance.choice(talks), f"Edited {chance.random()}."),
        lambda: world.comment(chance.choice(talks), f"Said {chance.random()}."),
        lambda: world.open(repo, f"New {chance.random()}", is_pull=chance.random() < 0.3),
        lambda: world.edit(chance.choice(discussions), f"Edited {chance.random()}."),
        lambda: world.comment(chance.choice(discussions), f"Said {chance.random()}."),
        lambda: world.discuss(repo, f"New {chance.random()}"),
        lambda: world.push(
            repo, {f"src/{chance.randrange(9)}.py": chance.randbytes(9).hex().encode()}
        ),
        lambda: at_once(world, talks, chance),
    ]
    chance.choice(deeds)()


def at_once(world: World, talks: list[Talk], chance: random.Random) -> None:
    """Many touched in one second, as a script of a maintainer does: more than fit on a page."""
    now = world.tick()
    for talk in chance.sample(talks, min(len(talks), 5)):
        talk.body = f"Labelled {chance.random()}."
        talk.updated = now


async def read(fake: Fake, index: hub.Index, part: PartitionKey, *, stop: int = 0) -> None:
    """One run of a part: to its end, or killed after so many events."""
    async with hub.inside(fake, page=2, few=3) as connector:
        if stop:
            await broken_off(connector, index, part, stop)
            return
        try:
            await index.crawl(connector, [part])
        except CursorExpired:
            del index.cursors[part]
            await index.crawl(connector, [part])


async def broken_off(
    connector: GitHubConnector, index: hub.Index, part: PartitionKey, after: int
) -> None:
    events = connector.read(part, index.cursors.get(part))
    page: list[Event] = []
    for _ in range(after):
        page.append(await anext(events, Checkpoint(part, GitHubCursor(), done=True)))
        if isinstance(page[-1], Checkpoint):
            if page[-1].done:
                break
            await index.store(connector, page)
            page = []
    await events.aclose()


def missed(repo: Repo, index: hub.Index) -> dict[PartitionKey, set[str]]:
    """What is in the repository and not, as it is, in the index."""
    found = index.contents

    def lacks(kind: str, talk: Talk) -> bool:
        text = found.get(f"{kind}:{repo.id}:{talk.number}", b"").decode()
        return not all(
            said in text for said in [talk.title, talk.body, *(c.body for c in talk.comments)]
        )

    files = {path: content for path, (_, content) in repo.files.items() if path.endswith("py")}
    return {
        hub.CODE: {p for p, body in files.items() if found.get(f"file:{repo.id}:{p}") != body},
        hub.ISSUES: {t.title for t in repo.talks.values() if lacks("issue", t)},
        hub.DISCUSSIONS: {t.title for t in repo.discussions.values() if lacks("discussion", t)},
    }


async def once(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same each time
    part = (hub.CODE, hub.ISSUES, hub.DISCUSSIONS)[seed % 3]
    fake, index = hub.fake(), hub.Index()
    repo = hub.small(fake)

    def changing(world: World) -> None:
        if chance.random() < 0.3:
            touch(world, repo, chance)

    fake.world.changing = changing
    if seed % 2:
        await read(fake, index, part, stop=chance.randrange(1, 12))
    await read(fake, index, part)
    fake.world.changing = None
    await read(fake, index, part)

    assert missed(repo, index)[part] == set(), f"seed {seed}"


@pytest.mark.parametrize("first", range(0, RUNS, BATCH))
async def test_nothing_touched_during_a_crawl_is_missed(first: int) -> None:
    """The next run, in which nobody touches anything, has everything as it is."""
    for seed in range(first, first + BATCH):
        await once(seed)


async def touched_while_read(seed: int) -> tuple[set[str], set[str]]:
    """What there is after a crawl of the issues, and what the crawl told of."""
    chance = random.Random(seed)  # noqa: S311  # the same each time
    fake, index = hub.fake(), hub.Index()
    repo = hub.small(fake)

    def changing(world: World) -> None:
        if len(world.asked) < 7 and chance.random() < 0.5:  # more are needed to list them all
            touch_issue(world, repo, chance)

    fake.world.changing = changing
    async with hub.inside(fake, page=2) as connector:
        await index.crawl(connector, [hub.ISSUES])
    return {f"issue:{repo.id}:{number}" for number in repo.talks}, set(index.contents)


async def test_what_is_opened_during_a_crawl_is_told_in_the_same_crawl() -> None:
    for seed in range(100):
        there, told = await touched_while_read(seed)
        assert there <= told, f"seed {seed}"


def touch_issue(world: World, repo: Repo, chance: random.Random) -> None:
    if chance.random() < 0.3:
        world.open(repo, f"New {chance.random()}")
    else:
        world.edit(chance.choice(list(repo.talks.values())), f"Edited {chance.random()}.")


async def test_edited_comment_is_told_though_its_issue_has_the_same_date() -> None:
    fake, index = hub.fake(), hub.Index()
    repo = hub.small(fake)
    async with hub.inside(fake) as connector:
        await index.crawl(connector)

    fake.world.edit_comment(repo.talks[1].comments[0], "On second thought, no.")
    index.fetched.clear()
    async with hub.inside(fake) as connector:
        await index.crawl(connector)

    assert index.fetched == [f"issue:{repo.id}:1"]
    assert b"On second thought, no." in index.contents[f"issue:{repo.id}:1"]
