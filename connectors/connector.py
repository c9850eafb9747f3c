"""The shape of a source. Third parties add one by an entry point ``headwater.connectors``."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from connectors.access import Access, Consent, CredentialKind
from connectors.artifact import Artifact, PartitionKey, Ref
from connectors.errors import ConnectorError
from connectors.events import CensusEvent, Cursor, Event, Skipped
from connectors.hearing import Hearing


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that tell more of their artifact than was known before, and other artifacts in it.

    ``artifact`` has the same ref and version. Each of ``parts`` has an id by ``part_of`` this one:
    it is staged (or skipped) with it, is in no census, and goes when this one goes.
    """

    body: bytes
    artifact: Artifact
    parts: tuple["Content | Skipped", ...] = ()


Fetched = bytes | Content | Skipped | ConnectorError
"""What came of one ref: its bytes, why they are not wanted after all, or why there are none."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Something that could be ingested, for a picker."""

    key: PartitionKey
    title: str
    detail: str
    artifacts: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Whose things a credential opens: an id that never changes, and a name for people."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was checked. ``action`` tells the user what to do if it is not well."""

    name: str
    well: bool
    detail: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    key: PartitionKey
    title: str
    artifacts: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crawl would do: the partitions, and estimates for the user before anything is read."""

    partitions: tuple[Partition, ...]
    calls: int | None = None


class Connector(Protocol):
    """One opened source. Methods raise the errors of ``connectors.errors``.

    An error about one artifact is yielded as ``Failed``; only what stops the partition is raised.
    """

    async def check(self) -> Sequence[Probe]:
        """Look whether the source can be read, without reading it. A bad one is a bad probe."""
        ...

    async def account(self) -> Account | None:
        """Whose credential it is, as the source says; None if the source knows no accounts.

        A consent renewed by somebody else is refused by it: their things are not this owner's.
        """
        ...

    def discover(self) -> AsyncIterator[Scope]:
        """Yield what could be ingested, with sizes, whatever the configuration leaves out."""
        ...

    async def plan(self) -> Plan:
        """Name the partitions of the configured scope and estimate the work."""
        ...

    def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        """Yield what is there after ``cursor``, most useful first. Raises ``CursorExpired``."""
        ...

    def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        """Yield every id and version there is now; last, if nothing failed, ``CensusComplete``."""
        ...

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        """Download these artifacts, all in memory at once; the caller bounds them by their sizes.

        Every ref is in the answer. Some skips are only known from the bytes: binary, generated.
        """
        ...


def _nowhere(text: str) -> None:
    """What is typed means nothing to a kind that does not say how to read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the catalogue knows of a kind of source without opening it.

    ``config`` is what a user states, never a secret; ``cursor`` is read back from storage by it;
    ``open`` gives a ``Connector`` that is closed on leaving.

    ``credentials`` are the kinds of which it takes any one. With ``consent``, a grant is asked for
    on the connect page: then an empty ``config`` means all that the account can see, ``discover``
    lists it, and ``narrow`` makes the configuration of what was chosen of that.

    ``locate`` makes a configuration of what a person types, ``owner/name`` or a whole URL, or
    None if that means nothing here: it is behind ``headwater ingest KIND:TEXT``.

    ``hearing`` is how its provider's hints are taken, if it sends any: ``connectors.hearing``.
    """

    kind: str
    title: str
    description: str
    config: type[BaseModel]
    cursor: type[Cursor]
    open: "Opener"
    secrets: frozenset[str] = field(default_factory=frozenset[str])
    credentials: frozenset[CredentialKind] = frozenset({CredentialKind.NONE})
    consent: Consent | None = None
    narrow: "Narrower | None" = None
    locate: Callable[[str], Mapping[str, object] | None] = _nowhere
    hearing: Hearing | None = None


class Opener(Protocol):
    def __call__(self, config: Any, access: Access) -> AbstractAsyncContextManager[Connector]: ...


class Narrower(Protocol):
    def __call__(self, config: Any, chosen: Sequence[PartitionKey]) -> BaseModel:
        """``chosen`` are keys of what ``discover`` yielded, at least one."""
        ...
