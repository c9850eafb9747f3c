"""Whatever is written while a folder or repository is read is there as it is in the end."""

import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import cast

import pytest

from connectors.access import Anonymous, Given
from connectors.connector import Fetched
from connectors.events import Checkpoint, Cursor, Event
from connectors.local.config import LocalConfig
from connectors.local.crawl import FILES, LocalConnector, open_local
from connectors.world import artifacts
from tests import trees

RUNS, BATCH = int(os.environ.get("HEADWATER_TEST_SEEDS", "40")), 20
"""How many crawls are disturbed; 1,000 take three minutes: ``HEADWATER_TEST_SEEDS=1000``."""


@dataclass(slots=True)
class Author:
    """Somebody who writes in a folder, and commits if it is a repository."""

    folder: Path
    dice: Random
    repository: bool

    def begin(self) -> None:
        files = {f"{number}.md": self._text() for number in range(self.dice.randint(1, 9))}
        (trees.repository if self.repository else trees.write)(self.folder, files)

    def act(self) -> None:
        names = [name.removeprefix("file:") for name in sorted(self.contents())]
        match self.dice.randrange(4):
            case 0 | 1:
                name = self.dice.choice([*names, f"more/{self.dice.randrange(99)}.md"])
                trees.write(self.folder, {name: self._text()})
            case 2 if len(names) > 1:
                (self.folder / self.dice.choice(names)).unlink()
            case 3 if names:
                (self.folder / names[0]).rename(self.folder / f"{self.dice.randrange(99)}.md")
        if self.repository:
            trees.commit(self.folder)

    def contents(self) -> dict[str, bytes]:
        found = self.folder.rglob("*.md")
        return {f"file:{path.relative_to(self.folder)}": path.read_bytes() for path in found}

    def _text(self) -> str:
        return f"# This is {self.dice.choice('abc')}\n"  # often of the same length, or the same


@dataclass(slots=True)
class Index:
    """What a runtime keeps."""

    versions: dict[str, str] = field(default_factory=dict[str, str])
    contents: dict[str, Fetched] = field(default_factory=dict[str, Fetched])
    cursor: Cursor | None = None

    async def store(self, connector: LocalConnector, page: list[Event]) -> None:
        new = [
            each
            for each in artifacts(page)
            if self.versions.get(each.ref.external_id) != each.version
        ]
        fetched = await connector.fetch([each.ref for each in new])
        for each in new:
            name = each.ref.external_id
            self.versions[name], self.contents[name] = each.version, fetched[each.ref]


async def read(path: Path, index: Index, author: Author | None = None, *, stop: int = 0) -> None:
    """A run, to its end or until it is killed after so many events."""
    config, page = LocalConfig(path=str(path)), list[Event]()
    told = 0
    async with open_local(config, Given(Anonymous()), checkpoint_every=2) as connector:
        reading = cast("AsyncGenerator[Event]", connector.read(FILES, index.cursor))
        async for event in reading:
            page.append(event)
            told += 1
            if author is not None and author.dice.random() < 0.3:
                author.act()
            if isinstance(event, Checkpoint):
                await index.store(connector, page)
                index.cursor, page = event.cursor, []
            if told == stop:
                break
        await reading.aclose()


async def once(folder: Path, seed: int) -> None:
    dice = Random(seed)  # noqa: S311  # repeatable
    author, index = Author(folder, dice, repository=seed % 2 == 0), Index()
    author.begin()
    if dice.random() < 0.5:
        await read(folder, index, author, stop=dice.randint(1, 9))
    await read(folder, index, author)
    await read(folder, index)

    there = author.contents()
    assert {name: index.contents.get(name) for name in there} == there, f"seed {seed}"


@pytest.mark.timeout(120)  # twenty crawls and their commits
@pytest.mark.parametrize("first", range(0, RUNS, BATCH))
async def test_nothing_written_during_a_crawl_is_missed(tmp_path: Path, first: int) -> None:
    """The next run, during which nobody writes, has everything as it is."""
    for seed in range(first, first + BATCH):
        await once(tmp_path / str(seed), seed)
