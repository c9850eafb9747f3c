"""A repository's tracked files at one commit, which nothing can change while it is read."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from connectors.artifact import ExternalId
from connectors.errors import CursorExpired, SourceInvalid
from connectors.local import protocol
from connectors.local.config import LocalConfig
from connectors.local.git import Git, Place
from connectors.local.objects import Objects
from connectors.local.protocol import Entry, Nature
from connectors.local.rules import Rules
from connectors.local.selection import Item, Selection
from connectors.local.tree import Content

# A repository's .gitignore is about what is not tracked, so it says nothing about what is.
RULE_FILES = frozenset({".gitattributes", ".headwaterignore"})
_BATCH = 1_000


@dataclass(slots=True)
class Repository:
    """``Source`` of a repository, or of one folder in it."""

    place: Place
    config: LocalConfig
    objects: Objects

    async def tree(self, commit: str | None) -> "CommitTree":
        if commit is None:
            commit = await _head(self.place.git, self.config.path)
        elif await _resolve(self.place.git, f"{commit}^{{commit}}") is None:
            raise CursorExpired(f"Commit {commit[:12]} is not in the repository any more")
        root = await _resolve(self.place.git, f"{commit}:{self.place.folder}")
        if root is None:
            raise SourceInvalid(f"{self.config.path} is not tracked at commit {commit[:12]}")
        return CommitTree(self, commit, root)

    async def close(self) -> None:
        await self.objects.close()


@dataclass(slots=True)
class CommitTree:
    repository: Repository
    commit: str
    root: str
    rules: Rules = field(default_factory=Rules)

    @property
    def description(self) -> str:
        return f"git repository at {self.commit[:12]}"

    async def items(self) -> AsyncGenerator[Sequence[Item]]:
        git, config = self.repository.place.git, self.repository.config
        entries: list[Entry] = []
        listing = git.lines("ls-tree", "-r", "-z", "--long", "--full-tree", self.root)
        async with aclosing(listing):
            async for lines in listing:
                entries += protocol.tree_entries(lines)
        selection = Selection(
            await self._rules(entries),
            include=config.include,
            exclude=config.exclude,
            max_bytes=config.max_bytes,
            above=self.repository.place.folder,
        )
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            yield await asyncio.to_thread(_judged, selection, batch)

    async def contents(self, items: Sequence[Item]) -> Mapping[ExternalId, Content]:
        told = await self.repository.objects.read([item.entry.version for item in items])
        return {item.id: told[item.entry.version] for item in items}

    async def _rules(self, entries: Sequence[Entry]) -> Rules:
        """Read what the repository says about its files, in the folder and in those above it."""
        above = self.repository.place.folder
        files = {entry.path: entry for entry in await self._above(above)}
        for entry in entries:
            if entry.path.rpartition("/")[2] in RULE_FILES and entry.nature is Nature.FILE:
                files[above + entry.path] = entry
        limit = self.repository.config.max_bytes
        small = {path: entry.version for path, entry in files.items() if (entry.size or 0) <= limit}
        told = await self.repository.objects.read(list(small.values()))
        rules = Rules()
        for path, version in sorted(small.items()):
            content = told[version]
            if isinstance(content, bytes):
                folder, _, name = protocol.shown(path).rpartition("/")
                rules.add(f"{folder}/" if folder else "", name, content)
        return rules

    async def _above(self, folder: str) -> list[Entry]:
        if not folder:
            return []
        parents = [parent.as_posix() for parent in PurePosixPath(folder).parents]
        places = ["" if parent == "." else f"{parent}/" for parent in parents]
        wanted = [place + name for place in places for name in sorted(RULE_FILES)]
        listing = ("ls-tree", "-z", "--long", "--full-tree", self.commit, "--", *wanted)
        lines = [part async for part in self.repository.place.git.lines(*listing)]
        found = protocol.tree_entries("".join(lines))
        return [entry for entry in found if entry.nature is Nature.FILE]


async def tracks(place: Place, path: str) -> bool:
    """Whether the commit at HEAD holds anything of this folder.

    A folder that git knows nothing of (installed packages, a build) is none of the repository's.
    """
    if not place.folder:
        return True
    if await _resolve(place.git, "HEAD^{commit}") is None:
        return False
    root = await _resolve(place.git, f"HEAD:{place.folder}")
    if root is None:
        return False
    code, kind, _ = await place.git.ask("cat-file", "-t", root)
    if code or kind != "tree":
        raise SourceInvalid(
            f"{path} is a submodule that was not checked out",
            action="Run git submodule update --init there, or give the repository around it.",
        )
    return True


async def _head(git: Git, path: str) -> str:
    commit = await _resolve(git, "HEAD^{commit}")
    if commit is None:
        raise SourceInvalid(
            f"The repository at {path} has no commit yet",
            action="Commit something there, then start again.",
        )
    return commit


async def _resolve(git: Git, name: str) -> str | None:
    # The colon form wants no slash at the end; it would look for a file of that name.
    code, said, _ = await git.ask("rev-parse", "--verify", "--quiet", name.removesuffix("/"))
    return None if code else said


def _judged(selection: Selection, entries: Sequence[Entry]) -> list[Item]:
    return [selection.judge(entry) for entry in entries if selection.wants(entry.path)]
