"""A repository's code at one commit: its tree in one request, its contents in one archive.

What a change costs is decided by the difference of two trees: a few files are asked for by name,
many come by the archive. A file's version is its blob SHA, which every content is checked against.
"""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.artifact import PartitionKey, Ref
from connectors.connector import Fetched
from connectors.errors import (
    ArtifactGone,
    ConnectorError,
    CursorExpired,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from connectors.events import CensusComplete, CensusEvent, Checkpoint, Event, Seen, Skipped, Total
from connectors.github import files
from connectors.github.archive import Archive
from connectors.github.blobs import Blobs, Contents
from connectors.github.config import CodePlace, GitHubCursor
from connectors.github.files import Files
from connectors.github.part import Held, Pages, Repository
from connectors.github.session import SHA
from connectors.github.trees import Listing, list_tree
from connectors.local.protocol import Entry, shown
from connectors.local.selection import Item, Skip, inspect

FEW = 100
"""So many contents are asked for by name; for more, the archive is fetched."""

_SMALL_BYTES = 400_000
_SHA = re.compile(r"[0-9a-f]{40,64}")


@dataclass(slots=True)
class Code:
    repository: Repository
    key: PartitionKey
    page: int = 100
    few: int = FEW
    _files: Files | None = None
    _soon: Contents = field(default_factory=dict[str, bytes | ConnectorError])
    _held: Held = field(default_factory=Held)
    _archive: Archive | None = None

    async def read(self, cursor: GitHubCursor | None) -> Pages:
        """Tell every file of a new commit, also an unchanged one; of the same commit, nothing."""
        place = cursor or GitHubCursor()
        resumed = not place.done and place.code.commit is not None
        pin = place.code if resumed else await self._pin(place)
        if pin is None or pin.commit is None:
            done = place.model_copy(update={"done": True})
            told = Checkpoint(self.key, done, done=True, quiet=True)
            yield [Total(self.key, 0, exact=True), told]
            return
        there = await self._look(pin.commit, place, resumed=resumed)
        start = GitHubCursor(repository=there.repository, code=pin)
        async for page in self._told(there, start):
            yield page

    async def census(self) -> AsyncGenerator[CensusEvent]:
        there = await self._seen()
        for item in there.wanted:
            yield Seen(Ref(self.key, there.id(item)), item.entry.version)
        yield CensusComplete(len(there.wanted))

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        there = await self._seen()
        items = {ref: there.by_id.get(ref.external_id) for ref in refs}
        missing = [
            item.entry
            for ref, item in items.items()
            if item and not item.skip and self._held.get(ref) is None
        ]
        contents = await self._blobs.read(missing) if missing else {}
        return {ref: self._fetched(ref, item, contents) for ref, item in items.items()}

    async def close(self) -> None:
        if self._archive:
            await self._archive.close()
        self._archive = None

    @property
    def _blobs(self) -> Blobs:
        return Blobs(
            self.repository.session, self.repository.name, self.repository.config.max_bytes
        )

    async def _pin(self, place: GitHubCursor) -> CodePlace | None:
        """The commit to read, or None if it was read already."""
        before, rules = place.code, files.fingerprint(self.repository.config)
        same = place.done and before.rules == rules
        commit, etag = await self._head(before.etag if same else None)
        if commit is None or (same and commit == before.commit):
            return None
        base = before.tree if place.done else None
        return CodePlace(commit=commit, base=base, rules=rules, etag=etag)

    async def _head(self, etag: str | None) -> tuple[str | None, str | None]:
        branch = self.repository.config.branch or "HEAD"
        path = f"/repos/{self.repository.name}/commits/{branch}"
        answer = await self.repository.session.get(path, etag=etag, accept=SHA)
        if answer.unchanged:
            return None, etag
        commit = answer.body.decode(errors="replace").strip()
        if not _SHA.fullmatch(commit):
            raise SourceUnavailable("GitHub did not answer with a commit")
        return commit, answer.etag

    async def _seen(self) -> Files:
        """What the last read or census saw; else, what is there now."""
        if self._files is None:
            commit, _ = await self._head(None)
            return await self._look(commit or "HEAD", GitHubCursor(), resumed=False)
        return self._files

    async def _look(self, commit: str, place: GitHubCursor, *, resumed: bool) -> Files:
        facts = await self.repository.insist_on(place)
        listing = await self._list(commit, resumed=resumed)
        self._soon = await self._blobs.read(await self._beforehand(listing.entries))
        about = facts.id, facts.full_name, commit, listing.sha
        rules = files.rules_of(listing.entries, self._soon)
        self._files = Files.judged(self.key, self.repository.config, about, listing.entries, rules)
        return self._files

    async def _list(self, commit: str, *, resumed: bool) -> Listing:
        try:
            return await list_tree(self.repository.session, self.repository.name, commit)
        except (SourceMissing, SourceInvalid) as error:
            if not resumed:
                raise
            # A force-push took it away. The repository itself is there: it was asked for before.
            raise CursorExpired(f"Commit {commit[:12]} is not there any more") from error

    async def _beforehand(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        soon = files.beforehand(entries)
        if await self.repository.session.may_ask_graphql():
            return soon
        # Who has no credential has 60 requests an hour, and needs one for each.
        return [entry for entry in soon if entry.path in files.RULE_FILES]

    async def _told(self, there: Files, start: GitHubCursor) -> Pages:
        before = await self._before(start.code)
        yield [Total(self.key, len(there.items), exact=True), *self._removed(there, start, before)]
        there_now = there.items[start.code.told :]
        wanted = _changed(there, there_now, before)
        await self._prepare(there, wanted)
        place = start
        for page in _pages(there_now, self.page):
            await self._hold(there, [item for item in page if item.entry.version in wanted])
            told = place.code.told + len(page)
            code = place.code.model_copy(update={"told": told, "tree": there.tree})
            place = place.model_copy(update={"code": code})
            yield [*map(there.event, page), Checkpoint(self.key, place)]
        self._held.replace({})
        await self.close()
        code = place.code.model_copy(update={"told": 0, "tree": there.tree, "base": None})
        done = place.model_copy(update={"code": code, "done": True})
        yield [Checkpoint(self.key, done, done=True)]

    async def _before(self, pin: CodePlace) -> Sequence[Entry] | None:
        if pin.base is None:
            return None
        try:
            session = self.repository.session
            return (await list_tree(session, self.repository.name, pin.base)).entries
        except (SourceMissing, SourceInvalid):
            return None  # collected after a force-push: then everything may have changed

    def _removed(
        self, there: Files, start: GitHubCursor, before: Sequence[Entry] | None
    ) -> Sequence[Event]:
        return there.removed(before) if before is not None and not start.code.told else []

    async def _prepare(self, there: Files, wanted: Mapping[str, Item]) -> None:
        missing = [item.entry for sha, item in wanted.items() if sha not in self._soon]
        if len(missing) <= self.few:
            small = [entry for entry in missing if (entry.size or 0) <= _SMALL_BYTES]
            self._soon |= await self._blobs.read(small)
            return
        self._archive = Archive(
            self.repository.session,
            self.repository.name,
            there.commit,
            there.order,
            there.size_bytes,
        )

    async def _hold(self, there: Files, items: Sequence[Item]) -> None:
        """Have the contents of a page at hand, as far as they come without a request for each."""
        contents = {
            item.entry.version: self._soon[item.entry.version]
            for item in items
            if item.entry.version in self._soon
        }
        rest = {i.entry.path: i.entry for i in items if i.entry.version not in contents}
        if self._archive and rest:
            contents |= await self._archive.take(rest)
        held = {
            there.id(i): contents[i.entry.version] for i in items if i.entry.version in contents
        }
        self._held.replace(held)

    def _fetched(self, ref: Ref, item: Item | None, contents: Contents) -> Fetched:
        if item is None:
            return ArtifactGone("It is not in the repository any more")
        content = self._held.get(ref) or item.skip or contents[item.entry.version]
        if isinstance(content, bytes):
            content = inspect(item, content) or content
        if not isinstance(content, Skip):
            return content
        path = shown(item.entry.path)
        return Skipped(ref, content.reason, content.detail, path, item.entry.size)


def _changed(
    there: Files, items: Sequence[Item], before: Sequence[Entry] | None
) -> Mapping[str, Item]:
    """What may have to be downloaded of these, by blob SHA."""
    new = there.wanted if before is None else there.changed(before)
    left = {item.entry.path for item in items}
    return {item.entry.version: item for item in new if item.entry.path in left}


def _pages(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
