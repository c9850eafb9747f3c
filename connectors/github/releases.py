"""A repository's releases: few, short, and without dates of change, so all are listed again."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.artifact import Artifact, ExternalId, PartitionKey, Priority, Ref
from connectors.connector import Fetched
from connectors.errors import ArtifactGone, SourceMissing
from connectors.events import CensusComplete, CensusEvent, Checkpoint, Event, Seen, Total, Upsert
from connectors.github import prose, protocol
from connectors.github.config import GitHubCursor, ListPlace
from connectors.github.feeds import Fields
from connectors.github.part import Held, Pages, Repository, number_of, numbered
from connectors.github.protocol import Answer

KIND = "release"
_MOST_PAGES = 100


@dataclass(slots=True)
class Releases:
    repository: Repository
    key: PartitionKey
    page: int = 100
    _held: Held = field(default_factory=Held)
    _whole: list[dict[str, Any]] | None = None

    async def read(self, cursor: GitHubCursor | None) -> Pages:
        """Tell all if the list has changed, latest first; an unchanged one by an equal version."""
        place = cursor or GitHubCursor()
        first = await self._list(None, place.listed.etag if place.done else None)
        if first.unchanged:
            done = place.model_copy(update={"done": True})
            told = Checkpoint(self.key, done, done=True, quiet=True)
            yield [Total(self.key, 0, exact=True), told]
            return
        facts = await self.repository.insist_on(place)
        after = None if place.done else place.listed.after
        releases = self._whole = await self._all(first)
        place = GitHubCursor(repository=facts.id, listed=ListPlace(after=after))
        yield [Total(self.key, len(releases), exact=True)]
        left = _after(releases, after)
        for start in range(0, len(left), self.page):
            found = left[start : start + self.page]
            listed = ListPlace(after=str(found[-1]["id"]))
            place = place.model_copy(update={"listed": listed})
            yield [*self._events(facts.id, found), Checkpoint(self.key, place)]
        # What is behind the first page may be edited without it: its etag speaks for itself only.
        etag = first.etag if protocol.next_url(first.headers) is None else None
        done = place.model_copy(update={"listed": ListPlace(etag=etag), "done": True})
        yield [Checkpoint(self.key, done, done=True)]

    async def census(self) -> AsyncGenerator[CensusEvent]:
        facts = await self.repository.facts()
        releases = self._whole or await self._all(await self._list(None, None))
        for each in releases:
            yield Seen(Ref(self.key, numbered(KIND, facts.id, each["id"])), _version(each))
        yield CensusComplete(len(releases))

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        held = {ref: content for ref in refs if (content := self._held.get(ref)) is not None}
        for ref in refs:
            if ref not in held:
                held[ref] = await self._fetched(ref)
        return held

    async def close(self) -> None:
        """Nothing is held open."""

    async def _list(self, url: str | None, etag: str | None) -> Answer:
        path = url or f"/repos/{self.repository.name}/releases"
        query = None if url else {"per_page": 100}
        return await self.repository.session.get(path, query, etag=etag)

    async def _all(self, answer: Answer) -> list[dict[str, Any]]:
        """The rest of the list too, without drafts, each once though the list may move on."""
        found: dict[int, dict[str, Any]] = {}
        for _ in range(_MOST_PAGES):
            found |= {int(each["id"]): each for each in answer.listed() if not each.get("draft")}
            url = protocol.next_url(answer.headers)
            if url is None:
                break
            answer = await self._list(url, None)
        return list(found.values())

    def _events(self, repository: int, found: Sequence[Fields]) -> Sequence[Event]:
        bodies: dict[ExternalId, Fetched] = {}
        events: list[Event] = []
        for each in found:
            ref = Ref(self.key, numbered(KIND, repository, each["id"]))
            body = prose.bounded(prose.release(each), self.repository.config.max_bytes)
            bodies[ref.external_id] = body
            events.append(Upsert(_artifact(ref, each, len(body), self.repository.name)))
        self._held.replace(bodies)
        return events

    async def _fetched(self, ref: Ref) -> Fetched:
        number = number_of(ref, KIND, (await self.repository.facts()).id)
        path = f"/repos/{self.repository.name}/releases/{number}"
        try:
            answer = await self.repository.session.get(path)
        except SourceMissing:
            return ArtifactGone("The release is not there any more")
        return prose.bounded(prose.release(answer.mapped()), self.repository.config.max_bytes)


def _after(releases: Sequence[Fields], after: str | None) -> Sequence[Fields]:
    """What follows in the list; all of it, if that one is not there any more."""
    places = [place for place, each in enumerate(releases) if str(each["id"]) == after]
    return releases[places[0] + 1 :] if places else releases


def _artifact(ref: Ref, fields: Fields, size: int, repository: str) -> Artifact:
    return Artifact(
        ref=ref,
        version=_version(fields),
        kind=KIND,
        title=str(fields.get("name") or fields.get("tag_name") or "Release"),
        path=f"releases/{fields.get('tag_name')}",
        url=fields.get("html_url"),
        mime="text/markdown",
        size=size,
        priority=Priority.EARLY,
        created_at=protocol.when(fields.get("created_at")),
        updated_at=protocol.when(fields.get("published_at")),
        meta={"repository": repository, "author": prose.login(fields.get("author"))},
    )


def _version(fields: Fields) -> str:
    return hashlib.sha256(prose.release(fields).encode(errors="replace")).hexdigest()[:32]
