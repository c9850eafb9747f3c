"""A repository's discussions, by GraphQL alone: REST does not have them.

They are told latest change first. What is touched while that goes on moves to the top, above the
place that was reached; so the top is read again afterwards, down to where the first look began.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.artifact import Artifact, ExternalId, FailureClass, PartitionKey, Ref
from connectors.connector import Fetched
from connectors.errors import ArtifactGone, ConnectorError, SourceUnavailable
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
from connectors.github import prose, protocol, queries
from connectors.github.config import GitHubCursor, ListPlace
from connectors.github.conversation import Conversations
from connectors.github.feeds import Fields
from connectors.github.part import LOOK_EVERY, Facts, Held, Pages, Repository, number_of, numbered

KIND = "discussion"
_MOST_REPLAYS = 5


@dataclass(slots=True)
class Discussions:
    repository: Repository
    key: PartitionKey
    page: int = 50
    _held: Held = field(default_factory=Held)
    _told: dict[int, datetime] = field(default_factory=dict[int, datetime])
    _count: int = 0
    """How many there are, as the latest page said."""

    async def read(self, cursor: GitHubCursor | None) -> Pages:
        place = cursor or GitHubCursor()
        if not await self._is_on(place):
            quiet = place.done and place.listed.off
            yield [
                Total(self.key, 0, exact=True),
                Checkpoint(self.key, self._off(place), done=True, quiet=quiet),
            ]
            return
        facts = await self.repository.insist_on(place)
        self._told, again = {}, place.done
        place = _begun(place, facts)
        async for events, after in self._down(place):
            place = after
            yield [*events, Checkpoint(self.key, place)]
        pin, total = place.listed, place.listed.total
        # Where the top of the list has told nothing, nothing was touched while it was read down.
        for _ in range(_MOST_REPLAYS if self._told or not again else 0):
            found, pin = await self._top(pin)
            if not found:
                break
            total += len(found)
            yield await self._events(facts.id, found)
        quiet = again and self._count == place.listed.known + self._new(place.listed)
        done = place.model_copy(update={"listed": self._finished(place.listed, pin), "done": True})
        told = Checkpoint(self.key, done, done=True, quiet=quiet)
        yield [Total(self.key, total, exact=True), told]

    async def census(self) -> AsyncGenerator[CensusEvent]:
        facts = await self.repository.facts()
        after: str | None = None
        seen: set[int] = set()
        while facts.has_discussions and await self.repository.session.may_ask_graphql():
            page = await self._page(after)
            for each in page.found:
                if int(each["number"]) not in seen:
                    yield Seen(
                        Ref(self.key, numbered(KIND, facts.id, each["number"])), _version(each)
                    )
            seen |= {int(each["number"]) for each in page.found}
            if page.after is None:
                break
            after = page.after
        yield CensusComplete(len(seen))

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        held = {ref: content for ref in refs if (content := self._held.get(ref)) is not None}
        for ref in refs:
            if ref not in held:
                held[ref] = await self._fetched(ref)
        return held

    async def close(self) -> None:
        """Nothing is held open."""

    async def _is_on(self, place: GitHubCursor) -> bool:
        """Whether there are any to be read, looked up again if that is known for long only."""
        session = self.repository.session
        if not await session.may_ask_graphql():
            return False
        fresh = place.looked_at and session.clock.now() - place.looked_at < LOOK_EVERY
        if place.done and place.listed.off and fresh and not self.repository.asked:
            return False
        return (await self.repository.facts()).has_discussions

    def _off(self, place: GitHubCursor) -> GitHubCursor:
        now = self.repository.session.clock.now()
        looked = now if self.repository.asked or place.looked_at is None else place.looked_at
        update = {"listed": ListPlace(off=True), "looked_at": looked, "done": True}
        return place.model_copy(update=update)

    async def _down(
        self, place: GitHubCursor
    ) -> AsyncGenerator[tuple[Sequence[Event], GitHubCursor]]:
        """From the place down to where the last read began, or to the end."""
        while True:
            page = await self._page(place.listed.after)
            found = self._news(page.found, place.listed.since, place.listed.told)
            if place.listed.pinned is None:
                pin = _pinned(place.listed, page.found, place.listed.since)
                place = place.model_copy(update={"listed": pin})
            events: list[Event] = []
            if place.listed.after is None:
                total = page.total if place.listed.since is None else len(found)
                events.append(Total(self.key, total, exact=False))
            events += await self._events(place.repository or 0, found)
            total_told = place.listed.total + len(found)
            place = _with(place, total=total_told, after=page.end or place.listed.after)
            yield events, place
            if page.after is None or any(
                _is_before(each, place.listed.since) for each in page.found
            ):
                return

    async def _top(self, pin: ListPlace) -> tuple[Sequence[Fields], ListPlace]:
        """What was touched since the pin, and the pin of what was found now."""
        found: list[Fields] = []
        after, later = None, pin
        while True:
            page = await self._page(after)
            if after is None:
                later = _pinned(pin, page.found, pin.pinned)
            found += self._news(page.found, pin.pinned, pin.told)
            if page.after is None or any(_is_before(each, pin.pinned) for each in page.found):
                return found, later
            after = page.after

    def _news(
        self, found: Sequence[Fields], since: datetime | None, told: Sequence[int]
    ) -> list[Fields]:
        """What is not older than that, and was not told as it is: ``told`` at that very second."""
        news = [
            each
            for each in found
            if since is None
            or _date(each) > since
            or (_date(each) == since and int(each["number"]) not in told)
        ]
        news = [each for each in news if self._told.get(int(each["number"])) != _date(each)]
        self._told.update({int(each["number"]): _date(each) for each in news})
        return news

    def _new(self, before: ListPlace) -> int:
        return sum(number > before.highest for number in self._told)

    def _finished(self, before: ListPlace, pin: ListPlace) -> ListPlace:
        """``before`` is the pass that ends, ``pin`` what a later one begins from."""
        highest = max(before.highest, *self._told, 0)
        return ListPlace(since=pin.pinned, told=pin.told, known=self._count, highest=highest)

    async def _page(self, after: str | None) -> "_Page":
        owner, name = self.repository.name.split("/")
        variables = {"owner": owner, "name": name, "after": after}
        data = await self.repository.session.graphql(queries.discussions(self.page), variables)
        listed = (data.get("repository") or {}).get("discussions") or {}
        info = listed.get("pageInfo") or {}
        further = info.get("endCursor") if info.get("hasNextPage") else None
        if further is not None and further == after:
            raise SourceUnavailable("The discussions have no end: a page follows itself")
        found = [each for each in listed.get("nodes") or () if each]
        self._count = int(listed.get("totalCount") or 0)
        return _Page(found, further, info.get("endCursor"), self._count)

    async def _events(self, repository: int, found: Sequence[Fields]) -> Sequence[Event]:
        bodies: dict[ExternalId, Fetched] = {}
        events: list[Event] = []
        for each in found:
            ref = Ref(self.key, numbered(KIND, repository, each["number"]))
            body = await self._body(each)
            if isinstance(body, ConnectorError):
                title = str(each.get("title") or ref.external_id)
                detail = str(body), body.action, title
                events.append(Failed(ref, self.key, FailureClass.TRANSIENT, *detail))
            else:
                bodies[ref.external_id] = body
                events.append(Upsert(_artifact(ref, each, len(body), self.repository.name)))
        self._held.replace(bodies)
        return events

    async def _body(self, fields: Fields) -> bytes | ConnectorError:
        talk = Conversations(self.repository.session, self.repository.name)
        first = fields.get("comments") or {}
        try:
            comments = await talk.rest(KIND, int(fields["number"]), "comments", first)
        except SourceUnavailable as error:
            return error
        text = prose.discussion(fields, comments)
        return prose.bounded(text, self.repository.config.max_bytes)

    async def _fetched(self, ref: Ref) -> Fetched:
        number = number_of(ref, KIND, (await self.repository.facts()).id)
        owner, name = self.repository.name.split("/")
        variables = {"owner": owner, "name": name, "number": number}
        data = await self.repository.session.graphql(queries.discussion(), variables)
        fields = (data.get("repository") or {}).get("discussion")
        return await self._body(fields) if fields else ArtifactGone("It is not there any more")


@dataclass(frozen=True, slots=True)
class _Page:
    found: Sequence[dict[str, Any]]
    after: str | None
    end: str | None
    total: int


def _begun(place: GitHubCursor, facts: Facts) -> GitHubCursor:
    anew = {"after": None, "pinned": None, "off": False, "total": 0}
    listed = place.listed.model_copy(update=anew) if place.done else place.listed
    return place.model_copy(update={"repository": facts.id, "listed": listed, "done": False})


def _pinned(listed: ListPlace, found: Sequence[Fields], otherwise: datetime | None) -> ListPlace:
    """The latest change there is, and whose it is."""
    latest = max((_date(each) for each in found), default=otherwise)
    told = [int(each["number"]) for each in found if _date(each) == latest]
    return listed.model_copy(update={"pinned": latest, "told": tuple(told)})


def _with(place: GitHubCursor, **update: object) -> GitHubCursor:
    return place.model_copy(update={"listed": place.listed.model_copy(update=update)})


def _artifact(ref: Ref, fields: Fields, size: int, repository: str) -> Artifact:
    return Artifact(
        ref=ref,
        version=_version(fields),
        kind=KIND,
        title=f"{fields.get('title') or ''} (#{fields['number']})",
        path=f"discussions/{fields['number']}",
        url=fields.get("url"),
        mime="text/markdown",
        size=size,
        created_at=protocol.when(fields.get("createdAt")),
        updated_at=_date(fields),
        meta={"repository": repository, "author": prose.login(fields.get("author"))},
    )


def _is_before(fields: Fields, moment: datetime | None) -> bool:
    return moment is not None and _date(fields) < moment


def _version(fields: Fields) -> str:
    return str(fields["updatedAt"])


def _date(fields: Fields) -> datetime:
    date = protocol.when(fields.get("updatedAt"))
    if date is None:
        raise SourceUnavailable("GitHub listed a discussion without a date")
    return date
