"""A source in memory: the smallest connector that keeps every promise, for tests and to copy."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.access import Access, Anonymous, Credential, CredentialKind, Given, Grant, Token
from connectors.artifact import Artifact, ExternalId, FailureClass, PartitionKey, Ref
from connectors.connector import Account, Fetched, Partition, Plan, Probe, Scope, Spec
from connectors.errors import (
    ArtifactGone,
    Cause,
    ConnectorError,
    CursorExpired,
    ReauthorizationNeeded,
)
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Seen,
    Total,
    Upsert,
)

NOTES = PartitionKey("notes")


class MemoryConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MemoryCursor(Cursor):
    after: str = ""
    done: bool = False
    generation: int = 0


@dataclass(slots=True)
class Notes:
    """The source itself, for whoever wants to change it."""

    notes: dict[str, bytes]
    generation: int = 0  # raise it, and every cursor expires
    blind: bool = False  # set it, and the listing fails at its end
    lock: SecretStr | None = None  # set it, and only who has this token may read


@dataclass(slots=True)
class MemoryConnector:
    source: Notes
    page: int = 2
    access: Access = field(default_factory=lambda: Given(Anonymous()))

    async def check(self) -> Sequence[Probe]:
        try:
            await self._enter()
        except ConnectorError as error:
            return [Probe("notes", well=False, detail=str(error), action=error.action)]
        return [Probe("notes", well=True, detail=f"{len(self.source.notes)} notes")]

    async def account(self) -> Account | None:
        return None if self.source.lock is None else Account("1", "the owner of the notes")

    async def discover(self) -> AsyncIterator[Scope]:
        await self._enter()
        yield Scope(NOTES, "Notes", "in memory", len(self.source.notes))

    async def plan(self) -> Plan:
        await self._enter()
        return Plan((Partition(NOTES, "Notes", len(self.source.notes)),))

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        await self._enter()
        place = cursor if isinstance(cursor, MemoryCursor) else self._start()
        if place.generation != self.source.generation:
            raise CursorExpired("The notes were numbered anew")
        place = self._start() if place.done else place
        yield Total(partition, len(self.source.notes), exact=True)
        for number, name in enumerate(self._names(place.after), 1):
            yield Upsert(self._artifact(Ref(partition, ExternalId(name))))
            place = place.model_copy(update={"after": name})
            if number % self.page == 0:
                yield Checkpoint(partition, place)
        if self.source.blind:
            yield Failed(None, partition, FailureClass.TRANSIENT, "a page is torn", "Try again.")
        yield Checkpoint(partition, place.model_copy(update={"done": True}), done=True)

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        await self._enter()
        for name in self._names(""):
            ref = Ref(partition, ExternalId(name))
            yield Seen(ref, self._artifact(ref).version)
        if not self.source.blind:
            yield CensusComplete(len(self.source.notes))

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        await self._enter()
        notes = self.source.notes
        return {ref: notes.get(ref.external_id, ArtifactGone("No such note")) for ref in refs}

    async def _enter(self) -> None:
        """Show the credential at the door; if it is refused, a renewed one, and no third."""
        credential = await self.access.credential()
        if self._opens(credential) or self._opens(await self.access.renew(credential)):
            return
        raise ReauthorizationNeeded(Cause.REVOKED, "The drawer")

    def _opens(self, credential: Credential) -> bool:
        match credential:
            case Token(token=shown) | Grant(access_token=shown):
                return self.source.lock in {None, shown}
            case _:
                return self.source.lock is None

    def _start(self) -> MemoryCursor:
        return MemoryCursor(generation=self.source.generation)

    def _names(self, after: str) -> list[str]:
        return sorted(name for name in self.source.notes if name > after)

    def _artifact(self, ref: Ref) -> Artifact:
        version = sha256(self.source.notes[ref.external_id]).hexdigest()
        return Artifact(ref=ref, version=version, kind="note", title=ref.external_id)


def memory_spec(
    source: Notes, connector: Callable[[Notes], MemoryConnector] = MemoryConnector
) -> Spec:
    @asynccontextmanager
    async def open_memory(config: MemoryConfig, access: Access) -> AsyncGenerator[MemoryConnector]:  # noqa: ARG001
        opened = connector(source)
        opened.access = access
        yield opened

    return Spec(
        kind="memory",
        title="Notes in memory",
        description="Gone with the process.",
        config=MemoryConfig,
        cursor=MemoryCursor,
        open=open_memory,
        credentials=frozenset({CredentialKind.NONE, CredentialKind.TOKEN}),
    )
