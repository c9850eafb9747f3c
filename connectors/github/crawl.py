"""GitHub as a connector: repositories in parts, each read from wherever it has come to."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connectors.access import Access
from connectors.artifact import FailureClass, PartitionKey, Ref
from connectors.connector import Account, Fetched, Partition, Plan, Probe, Scope
from connectors.errors import (
    Cause,
    ConnectorError,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceMissing,
    SourceRefused,
)
from connectors.events import CensusEvent, Checkpoint, Cursor, Event, Failed, Total
from connectors.github import accounts, check
from connectors.github.code import FEW, Code
from connectors.github.config import GitHubConfig, GitHubCursor
from connectors.github.discussions import Discussions
from connectors.github.part import Pages, Part, Repository
from connectors.github.protocol import SwitchedOff
from connectors.github.releases import Releases
from connectors.github.session import Session, open_session
from connectors.github.threads import Threads
from connectors.throttle import Clock

PAGE = 100
_OF_ONE_REPOSITORY = frozenset({Cause.SSO_REQUIRED, Cause.SCOPE_REDUCED, Cause.POLICY_BLOCKED})
_CLASSES: Mapping[type[ConnectorError], FailureClass] = {
    ReauthorizationNeeded: FailureClass.FORBIDDEN,
    SourceRefused: FailureClass.FORBIDDEN,
    SourceMissing: FailureClass.NOT_FOUND,
    SourceInvalid: FailureClass.MALFORMED,
}


@asynccontextmanager
async def open_github(
    config: GitHubConfig,
    access: Access,
    *,
    page: int = PAGE,
    few: int = FEW,
    clock: Clock | None = None,
) -> AsyncGenerator["GitHubConnector"]:
    async with open_session(config.base_url, access, clock or Clock()) as session:
        connector = GitHubConnector(config, session, page, few)
        try:
            yield connector
        finally:
            await connector.close()


def narrow(config: GitHubConfig, chosen: Sequence[PartitionKey]) -> GitHubConfig:
    return config.model_copy(update={"repositories": tuple(chosen)})


@dataclass(slots=True)
class GitHubConnector:
    """Partitions are ``<part>:<owner>/<name>``, as the configuration names them."""

    config: GitHubConfig
    session: Session
    page: int
    few: int
    _repositories: dict[str, Repository] = field(default_factory=dict[str, Repository])
    _parts: dict[PartitionKey, Part] = field(default_factory=dict[PartitionKey, Part])

    async def check(self) -> Sequence[Probe]:
        return await check.probes(self.session, self.config)

    async def account(self) -> Account | None:
        return await accounts.whose(self.session)

    async def discover(self) -> AsyncIterator[Scope]:
        async for repository in accounts.repositories(self.session):
            yield accounts.scope(repository)

    async def plan(self) -> Plan:
        """Name the parts; nothing is asked of GitHub if the repositories are named."""
        names = list(self.config.repositories)
        if not names:
            seen = accounts.repositories(self.session)
            names = [repository.full_name async for repository in seen]
        keys = [PartitionKey(f"{part}:{name}") for name in names for part in self.config.parts]
        return Plan(tuple(Partition(key, _title(key)) for key in keys))

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncGenerator[Event]:
        """Yield what is new since the cursor. A wait for a limit is an event while it lasts."""
        place = cursor if isinstance(cursor, GitHubCursor) else None
        pages = self._guarded(self._part(partition), place)
        events = self.session.bell.over(pages)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def census(self, partition: PartitionKey) -> AsyncGenerator[CensusEvent]:
        try:
            async for event in self._part(partition).census():
                yield event
        except SwitchedOff:
            return  # what was told while it was on is kept

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        fetched: dict[Ref, Fetched] = {}
        for partition in dict.fromkeys(ref.partition for ref in refs):
            mine = [ref for ref in dict.fromkeys(refs) if ref.partition == partition]
            fetched |= await self._part(partition).fetch(mine)
        return fetched

    async def close(self) -> None:
        for part in self._parts.values():
            await part.close()

    async def _guarded(self, part: Part, place: GitHubCursor | None) -> Pages:
        """What is wrong with one repository of many is told, and the others go on.

        So it is for a part that was read before: what was read of it is kept.
        """
        try:
            async for page in part.read(place):
                yield page
        except SwitchedOff:
            yield [Total(part.key, 0, exact=True), Checkpoint(part.key, _ended(place), done=True)]
        except (SourceMissing, SourceInvalid, SourceRefused, ReauthorizationNeeded) as error:
            alone = len(self.config.repositories) == 1 and place is None
            if alone or not _concerns_one(error):
                raise
            yield [_failed(part.key, error), Checkpoint(part.key, _ended(place), done=True)]

    def _part(self, key: PartitionKey) -> Part:
        if key not in self._parts:
            kind, _, name = key.partition(":")
            repository = self._repositories.setdefault(
                name, Repository(self.session, name, self.config)
            )
            self._parts[key] = self._made(kind, repository, key)
        return self._parts[key]

    def _made(self, kind: str, repository: Repository, key: PartitionKey) -> Part:
        match kind:
            case "code":
                return Code(repository, key, self.page, self.few)
            case "issues":
                return Threads(repository, key, self.page)
            case "releases":
                return Releases(repository, key, self.page)
            case "discussions":
                return Discussions(repository, key, min(self.page, 50))
            case _:
                raise SourceMissing(f"GitHub has no part called {key}")


def _concerns_one(error: ConnectorError) -> bool:
    """Whether other repositories may still be read with the same credential."""
    return not isinstance(error, ReauthorizationNeeded) or error.cause in _OF_ONE_REPOSITORY


def _failed(key: PartitionKey, error: ConnectorError) -> Failed:
    name = key.partition(":")[2]
    failure = next(each for kind, each in _CLASSES.items() if isinstance(error, kind))
    return Failed(None, key, failure, f"{name}: {error}", error.action, _title(key))


def _ended(place: GitHubCursor | None) -> GitHubCursor:
    """The place as it was, for the next run to try from."""
    return (place or GitHubCursor()).model_copy(update={"done": True})


def _title(key: PartitionKey) -> str:
    part, _, name = key.partition(":")
    return f"{name}: {part}"
