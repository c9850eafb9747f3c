"""A folder or git repository as a connector: everything in it as events, most useful first."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from connectors.access import Access
from connectors.artifact import Artifact, ExternalId, FailureClass, PartitionKey, Ref
from connectors.connector import Fetched, Partition, Plan, Probe, Scope
from connectors.errors import (
    ArtifactGone,
    ConnectorError,
    SourceInvalid,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
)
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Seen,
    Skipped,
    Total,
    Upsert,
)
from connectors.local import selection
from connectors.local.config import LocalConfig, LocalCursor
from connectors.local.location import locate, nothing_in
from connectors.local.protocol import shown
from connectors.local.selection import Item, Skip
from connectors.local.tree import Content, Source, Tree

FILES = PartitionKey("files")
CHECKPOINT_EVERY = 200


@asynccontextmanager
async def open_local(
    config: LocalConfig,
    access: Access,  # noqa: ARG001  # what the worker may read is up to the operating system
    *,
    checkpoint_every: int = CHECKPOINT_EVERY,
) -> AsyncGenerator["LocalConnector"]:
    connector = LocalConnector(config, checkpoint_every)
    try:
        yield connector
    finally:
        await connector.close()


@dataclass(frozen=True, slots=True)
class View:
    """A tree as it was listed, in reading order."""

    tree: Tree
    items: Mapping[ExternalId, Item]

    @property
    def wanted(self) -> list[Item]:
        return [item for item in self.items.values() if not item.skip and not item.trouble]

    @property
    def size_bytes(self) -> int:
        return sum(item.entry.size or 0 for item in self.wanted)


@dataclass(slots=True)
class LocalConnector:
    """Fetches from what its latest ``read`` or ``census`` saw, so that all it tells is one state.

    Nothing is touched before the first call: a path that is not there can be opened, and checked.
    """

    config: LocalConfig
    checkpoint_every: int = CHECKPOINT_EVERY
    _source: Source | None = None
    _view: View | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def check(self) -> Sequence[Probe]:
        try:
            tree = await self._tree(None)
        except ConnectorError as error:
            return [Probe("path", well=False, detail=str(error), action=error.action)]
        return [Probe("path", well=True, detail=f"{self.config.path} is a {tree.description}")]

    async def account(self) -> None:
        """Files belong to nobody here; the operating system says who may read them."""

    async def discover(self) -> AsyncIterator[Scope]:
        view = await self._look(await self._tree(None))
        detail = view.tree.description
        yield Scope(FILES, self._title, detail, len(view.wanted), view.size_bytes)

    async def plan(self) -> Plan:
        """Count what is in a repository; a folder's count comes with walking it, as ``Total``."""
        tree = await self._tree(None)
        if tree.commit is None:
            return Plan((Partition(FILES, self._title),))
        view = await self._look(tree)
        return Plan((Partition(FILES, self._title, len(view.wanted), view.size_bytes),))

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        """Yield every file there is, also an unchanged one: its version says that it is.

        An unfinished read goes on in the commit it began with; after a finished one, at HEAD.
        """
        _insist_on_files(partition)
        start = cursor if isinstance(cursor, LocalCursor) and not cursor.done else LocalCursor()
        tree = await self._tree(start.commit)
        view = self._known(tree)
        if view is None:
            found: list[Item] = []
            async with aclosing(tree.items()) as batches:
                async for batch in batches:
                    found += batch
                    yield Total(partition, len(found), exact=False)
            view = self._view = await asyncio.to_thread(self._ordered, tree, found)
        yield Total(partition, len(view.items), exact=True)
        reached = start.model_copy(update={"commit": tree.commit})
        for number, item in enumerate(_after(start, view), 1):
            yield _event(item, Ref(partition, item.id))
            reached = LocalCursor(commit=tree.commit, rank=item.rank, after=item.id)
            if number % self.checkpoint_every == 0:
                yield Checkpoint(partition, reached)
        yield Checkpoint(partition, reached.model_copy(update={"done": True}), done=True)

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        """Count a repository at the commit that was read last; walk a folder again."""
        _insist_on_files(partition)
        view = await self._look(await self._tree(self._view.tree.commit if self._view else None))
        for item in view.wanted:
            yield Seen(Ref(partition, item.id), item.entry.version)
        if not any(item.trouble for item in view.items.values()):
            yield CensusComplete(len(view.wanted))

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        async with self._turn:
            view = self._view or await self._look(await self._tree(None))
        items = {ref: view.items.get(ref.external_id) for ref in refs if ref.partition == FILES}
        wanted = [item for item in items.values() if item and not item.skip and not item.trouble]
        contents = await view.tree.contents(wanted)
        return {ref: _fetched(ref, items.get(ref), contents) for ref in refs}

    async def close(self) -> None:
        if self._source:
            await self._source.close()
        self._source = self._view = None

    @property
    def _title(self) -> str:
        return shown(PurePosixPath(self.config.path).name) or self.config.path

    async def _tree(self, commit: str | None) -> Tree:
        source = self._source or await locate(self.config)
        # Two callers at once may both have looked; a source that was not used yet holds nothing.
        self._source = self._source or source
        return await self._source.tree(commit)

    def _known(self, tree: Tree) -> View | None:
        """What was seen before, if nothing can have changed since."""
        same = self._view and tree.commit and self._view.tree.commit == tree.commit
        return self._view if same else None

    async def _look(self, tree: Tree) -> View:
        view = self._known(tree)
        if view is None:
            found: list[Item] = []
            async with aclosing(tree.items()) as batches:
                async for batch in batches:
                    found += batch
            view = self._view = await asyncio.to_thread(self._ordered, tree, found)
        return view

    def _ordered(self, tree: Tree, found: list[Item]) -> View:
        if not found and (self.config.include or self.config.exclude):
            raise SourceInvalid(
                f"No file in {self.config.path} is left by the patterns of this connection",
                action="Change what it includes and excludes.",
            )
        if not found:
            raise nothing_in(self.config.path)
        found.sort(key=lambda item: _place(item.rank, item.id))
        return View(tree, {item.id: item for item in found})


def _place(rank: int, name: str) -> tuple[int, int, str]:
    """Where something is in reading order; among equals, what is nearer to the top comes first."""
    return rank, name.count("/"), name


def _after(cursor: LocalCursor, view: View) -> Sequence[Item]:
    items = view.items.values()
    if not cursor.after:
        return list(items)
    reached = _place(cursor.rank, cursor.after)
    return [item for item in items if _place(item.rank, item.id) > reached]


def _event(item: Item, ref: Ref) -> Event:
    entry, path = item.entry, shown(item.entry.path) or "."
    if trouble := item.trouble:
        detail, action = trouble.detail, trouble.action
        return Failed(ref, ref.partition, trouble.failure, detail, action, title=path)
    if item.skip:
        return _skipped(item, item.skip, ref)
    return Upsert(
        Artifact(
            ref=ref,
            version=entry.version,
            kind="file",
            title=path.rpartition("/")[2],
            path=path,
            size=entry.size,
            priority=item.priority,
            updated_at=entry.updated_at,
        )
    )


def _skipped(item: Item, skip: Skip, ref: Ref) -> Skipped:
    return Skipped(ref, skip.reason, skip.detail, shown(item.entry.path), item.entry.size)


def _fetched(ref: Ref, item: Item | None, contents: Mapping[ExternalId, Content]) -> Fetched:
    if item is None:
        return ArtifactGone(f"{ref.external_id} is not there any more")
    if item.trouble:
        refused = item.trouble.failure is FailureClass.FORBIDDEN
        return (SourceRefused if refused else SourceUnavailable)(item.trouble.detail)
    content = item.skip or contents[item.id]
    if isinstance(content, bytes):
        content = selection.inspect(item, content) or content
    return _skipped(item, content, ref) if isinstance(content, Skip) else content


def _insist_on_files(partition: PartitionKey) -> None:
    if partition != FILES:
        raise SourceMissing(f"A folder has no part called {partition}")
