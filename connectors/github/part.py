"""What the parts of a repository share: who it is, what was just told, what can be said quietly."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from connectors.artifact import ExternalId, PartitionKey, Ref
from connectors.connector import Fetched
from connectors.errors import CursorExpired
from connectors.events import CensusEvent, Event
from connectors.github.config import GitHubConfig, GitHubCursor
from connectors.github.session import Session

LOOK_EVERY = timedelta(days=1)
"""How long what a repository has switched on is taken to be so, if nothing else changed."""

Pages = AsyncGenerator[Sequence[Event]]
"""What is told at once: up to a checkpoint, which is last."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a repository says of itself. ``id`` stays when it is renamed or given away."""

    id: int
    full_name: str
    default_branch: str
    private: bool
    has_issues: bool
    has_discussions: bool
    size_kilobytes: int
    open_issues: int
    date: datetime | None


@dataclass(slots=True)
class Repository:
    """One repository, asked for once while its connector is open."""

    session: Session
    name: str
    config: GitHubConfig
    _facts: Facts | None = None

    async def facts(self) -> Facts:
        """Raises ``SourceMissing`` if it is not there, or not for this credential."""
        if self._facts is None:
            answer = await self.session.get(f"/repos/{self.name}")
            said = answer.mapped()
            self._facts = Facts(
                id=int(said["id"]),
                full_name=str(said["full_name"]),
                default_branch=str(said.get("default_branch") or "main"),
                private=bool(said.get("private")),
                has_issues=bool(said.get("has_issues", True)),
                has_discussions=bool(said.get("has_discussions", False)),
                size_kilobytes=int(said.get("size") or 0),
                open_issues=int(said.get("open_issues_count") or 0),
                date=answer.date,
            )
        return self._facts

    @property
    def asked(self) -> bool:
        return self._facts is not None

    async def insist_on(self, place: GitHubCursor) -> Facts:
        """The same repository as before. Another one may have taken its name."""
        facts = await self.facts()
        if place.repository not in {None, facts.id}:
            raise CursorExpired(f"{self.name} is another repository now")
        return facts


@dataclass(slots=True)
class Held:
    """Contents that came with a page, until it was taken."""

    by_id: dict[ExternalId, Fetched] = field(default_factory=dict[ExternalId, Fetched])

    def replace(self, contents: Mapping[ExternalId, Fetched]) -> None:
        self.by_id = dict(contents)

    def get(self, ref: Ref) -> Fetched | None:
        return self.by_id.get(ref.external_id)


class Part(Protocol):
    """One part of one repository: its code, its issues."""

    @property
    def key(self) -> PartitionKey: ...

    def read(self, cursor: GitHubCursor | None) -> Pages: ...

    def census(self) -> AsyncGenerator[CensusEvent]:
        """All there is; or nothing at all, if the last read has found all as it was."""
        ...

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]: ...

    async def close(self) -> None: ...


def numbered(kind: str, repository: int, number: object) -> ExternalId:
    return ExternalId(f"{kind}:{repository}:{number}")


def number_of(ref: Ref, kind: str, repository: int) -> int | None:
    """The number in an id of this kind and repository."""
    given = ref.external_id.removeprefix(f"{kind}:{repository}:")
    return int(given) if given.isdigit() else None
