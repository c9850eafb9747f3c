"""A repository's issues and pull requests, each with all that was said about it as one artifact.

They are listed by their dates of change over REST, a hundred a request, and what was said comes by
GraphQL, a hundred conversations a question. An edited comment need not touch the date of its issue,
so the two lists of comments, which are ordered by their own dates, are looked at afterwards.
"""

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.artifact import Artifact, ExternalId, FailureClass, PartitionKey, Priority, Ref
from connectors.connector import Fetched
from connectors.errors import ArtifactGone, ConnectorError, SourceMissing
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Event,
    Failed,
    Seen,
    Total,
    Upsert,
)
from connectors.github import prose, protocol
from connectors.github.config import Feed, GitHubCursor, ThreadsPlace
from connectors.github.conversation import Answers, Conversations
from connectors.github.feeds import Fields, Listing, Reading
from connectors.github.part import Held, Pages, Repository, number_of, numbered

KIND = "issue"
_ABOUT = re.compile(r"/(?:issues|pulls)/(\d+)$")
_FEEDS = (
    ("comments", "issues/comments", "issue_url"),
    ("reviews", "pulls/comments", "pull_request_url"),
)


@dataclass(slots=True)
class Threads:
    repository: Repository
    key: PartitionKey
    page: int = 100
    _held: Held = field(default_factory=Held)
    _whole: dict[int, str] | None = None
    """By number, the version of all there is, if a read has just been through all of it."""

    async def read(self, cursor: GitHubCursor | None) -> Pages:
        """Tell what was touched since the cursor; at first everything, oldest change first."""
        place = cursor or GitHubCursor()
        again, resumed = place.threads.known > 0, not place.done
        place = place.model_copy(update={"done": False})
        reading = Reading(self._listing, place.threads.issues)
        numbers: dict[int, str] = {}
        from_the_start = place.threads == ThreadsPlace()
        async for found in reading.pages():
            place = await self._begun(place)
            numbers |= {int(each["number"]): _version(each) for each in found}
            if not place.threads.total:
                expected = max((reading.pages_ahead - 1) * self.page, len(found))
                yield [Total(self.key, expected, exact=False)]
            yield await self._page(place := _counted(place, reading.place, len(found)), found)
        place = await self._begun(_counted(place, reading.place, 0))
        async for events, after in self._edits(place, numbers):
            place = after
            yield events
        self._whole = numbers if from_the_start else None
        known = place.threads.total
        left = _expected(place.threads, numbers)
        if again:
            known = left if reading.unchanged else await self._count()
        quiet = again and known == left and not resumed
        yield [
            Total(self.key, place.threads.total, exact=True),
            Checkpoint(self.key, _finished(place, numbers, known), done=True, quiet=quiet),
        ]

    async def census(self) -> AsyncGenerator[CensusEvent]:
        facts, seen = await self.repository.facts(), 0
        if self._whole is not None:
            for number, version in self._whole.items():
                yield Seen(self._ref(facts.id, number), version)
            yield CensusComplete(len(self._whole))
            return
        async for found in Reading(self._listing, Feed()).pages():
            for each in found:
                yield Seen(self._ref(facts.id, each["number"]), _version(each))
            seen += len(found)
        yield CensusComplete(seen)

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        fetched = {ref: content for ref in refs if (content := self._held.get(ref)) is not None}
        for ref in refs:
            if ref not in fetched:
                fetched[ref] = await self._fetched(ref)
        return fetched

    async def close(self) -> None:
        """Nothing is held open."""

    @property
    def _listing(self) -> Listing:
        path = f"/repos/{self.repository.name}/issues"
        return Listing(self.repository.session, path, "number", self.page)

    def _ref(self, repository: int, number: object) -> Ref:
        return Ref(self.key, numbered(KIND, repository, number))

    async def _begun(self, place: GitHubCursor) -> GitHubCursor:
        """With the repository's id, and where edits are looked for from the first read on."""
        if place.repository is not None and not self.repository.asked:
            return place
        facts = await self.repository.insist_on(place)
        if place.repository is not None:
            return place
        edits = Feed(since=facts.date or self.repository.session.clock.now())
        threads = place.threads.model_copy(update={"comments": edits, "reviews": edits})
        return place.model_copy(update={"repository": facts.id, "threads": threads})

    async def _page(self, place: GitHubCursor, found: Sequence[Fields]) -> Sequence[Event]:
        if found:
            await self.repository.insist_on(place)
        return [*await self._events(place, found), Checkpoint(self.key, place)]

    async def _edits(
        self, place: GitHubCursor, told: Mapping[int, str]
    ) -> AsyncGenerator[tuple[Sequence[Event], GitHubCursor]]:
        """Tell again whose comments were edited, though their own dates may not say so."""
        for name, path, about in _FEEDS:
            listing = Listing(
                self.repository.session, f"/repos/{self.repository.name}/{path}", "id"
            )
            reading = Reading(listing, getattr(place.threads, name))
            edited: dict[int, str] = {}
            async for found in reading.pages():
                edited |= _edited(found, about)
            threads = place.threads.model_copy(update={name: reading.place})
            place = place.model_copy(update={"threads": threads})
            # Versions begin with the issue's date: one told as it was after the edit has it.
            late = [number for number, date in edited.items() if told.get(number, "") < date]
            fields = [await self._one(number) for number in late]
            events = await self._events(place, [each for each in fields if each])
            yield [_at_edit(event, edited) for event in events], place

    async def _count(self) -> int:
        """How many there are: as many as there are pages of one."""
        answer = await replace(self._listing, page=1).look(None, 1)
        return protocol.last_page(answer.headers)

    async def _events(self, place: GitHubCursor, found: Sequence[Fields]) -> Sequence[Event]:
        bodies = await self._bodies(found)
        held: dict[ExternalId, Fetched] = {}
        events: list[Event] = []
        for each in found:
            ref, body = (
                self._ref(place.repository or 0, each["number"]),
                bodies[int(each["number"])],
            )
            if isinstance(body, ConnectorError):
                events.append(_failed(ref, each, body))
            else:
                held[ref.external_id] = body
                events.append(Upsert(_artifact(ref, each, len(body), self.repository.name)))
        self._held.replace(held)
        return events

    async def _bodies(self, found: Sequence[Fields]) -> dict[int, bytes | ConnectorError]:
        told = await self._said(found)
        bodies: dict[int, bytes | ConnectorError] = {}
        for each in found:
            number = int(each["number"])
            said = told.get(number, {})
            if isinstance(said, ConnectorError):
                bodies[number] = said
                continue
            complete = number in told or not _is_talked_about(each)
            text = prose.issue(each, said or {}, complete=complete)
            bodies[number] = prose.bounded(text, self.repository.config.max_bytes)
        return bodies

    async def _said(self, found: Sequence[Fields]) -> Answers:
        session = self.repository.session
        asked = [(int(e["number"]), _is_pull(e)) for e in found if _is_talked_about(e)]
        if not asked or not await session.may_ask_graphql():
            return {}
        return await Conversations(session, self.repository.name).of(asked)

    async def _fetched(self, ref: Ref) -> Fetched:
        number = number_of(ref, KIND, (await self.repository.facts()).id)
        fields = await self._one(number) if number is not None else None
        if fields is None or number is None:
            return ArtifactGone("The issue is not there any more")
        return (await self._bodies([fields]))[number]

    async def _one(self, number: int) -> Fields | None:
        path = f"/repos/{self.repository.name}/issues/{number}"
        try:
            return (await self.repository.session.get(path)).mapped()
        except SourceMissing:
            return None


def _counted(place: GitHubCursor, issues: Feed, more: int) -> GitHubCursor:
    total = place.threads.total + more
    threads = place.threads.model_copy(update={"issues": issues, "total": total})
    return place.model_copy(update={"threads": threads})


def _finished(place: GitHubCursor, told: Collection[int], known: int) -> GitHubCursor:
    highest = max(place.threads.highest, *told, 0)
    threads = place.threads.model_copy(update={"total": 0, "known": known, "highest": highest})
    return place.model_copy(update={"threads": threads, "done": True})


def _expected(threads: ThreadsPlace, told: Collection[int]) -> int:
    """Those that were known and those that are new; if there are fewer, some were deleted."""
    return threads.known + sum(number > threads.highest for number in told)


def _edited(found: Sequence[Fields], about: str) -> dict[int, str]:
    """By issue, the latest edit of a comment on it."""
    edited: dict[int, str] = {}
    for each in found:
        match = _ABOUT.search(str(each.get(about)))
        if match and each.get("created_at") != each.get("updated_at"):
            edited[int(match[1])] = str(each["updated_at"])
    return edited


def _at_edit(event: Event, edited: Mapping[int, str]) -> Event:
    """The version says that it is another one, also if the issue's own date does not."""
    if not isinstance(event, Upsert):
        return event
    number = int(event.artifact.ref.external_id.rpartition(":")[2])
    version = f"{event.artifact.version} {edited[number]}"
    return Upsert(replace(event.artifact, version=version))


def _artifact(ref: Ref, fields: Fields, size: int, repository: str) -> Artifact:
    number = fields["number"]
    return Artifact(
        ref=ref,
        version=_version(fields),
        kind="pull_request" if _is_pull(fields) else KIND,
        title=f"{fields.get('title') or ''} (#{number})",
        path=f"{'pull' if _is_pull(fields) else 'issues'}/{number}",
        url=fields.get("html_url"),
        mime="text/markdown",
        size=size,
        priority=Priority.NORMAL if fields.get("state") == "open" else Priority.LATE,
        created_at=protocol.when(fields.get("created_at")),
        updated_at=protocol.when(fields.get("updated_at")),
        meta={
            "repository": repository,
            "state": str(fields.get("state")),
            "author": prose.login(fields.get("user")),
        },
    )


def _failed(ref: Ref, fields: Fields, error: ConnectorError) -> Failed:
    title = f"{fields.get('title') or ''} (#{fields['number']})"
    return Failed(ref, ref.partition, FailureClass.TRANSIENT, str(error), error.action, title)


def _version(fields: Fields) -> str:
    return f"{fields['updated_at']} {fields.get('comments', 0)}"


def _is_pull(fields: Fields) -> bool:
    return bool(fields.get("pull_request"))


def _is_talked_about(fields: Fields) -> bool:
    """Reviews are not among the comments that are counted."""
    return _is_pull(fields) or bool(fields.get("comments"))
