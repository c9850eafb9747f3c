"""The shape of a source. Third parties add one by an entry point ``headwater.connectors``."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from connectors.artifact import PartitionKey, Ref
from connectors.errors import ConnectorError
from connectors.events import CensusEvent, Cursor, Event, Skipped

Fetched = bytes | Skipped | ConnectorError
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


@dataclass(frozen=True, slots=True)
class Hint:
    """A webhook's claim that something changed. Never data: the source is asked."""

    partition: PartitionKey
    ref: Ref | None = None


class Connector(Protocol):
    """One opened source. Methods raise the errors of ``connectors.errors``.

    An error about one artifact is yielded as ``Failed``; only what stops the partition is raised.
    """

    async def check(self) -> Sequence[Probe]:
        """Look whether the source can be read, without reading it. A bad one is a bad probe."""
        ...

    def discover(self) -> AsyncIterator[Scope]:
        """Yield what could be ingested, with sizes."""
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

    async def hints(self, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """Verify a webhook and say what it claims to be dirty."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the catalogue knows of a kind of source without opening it.

    ``config`` is what a user states; ``cursor`` is read back from storage by it; ``open`` gives a
    ``Connector`` that is closed on leaving.
    """

    kind: str
    title: str
    description: str
    config: type[BaseModel]
    cursor: type[Cursor]
    open: "Opener"
    secrets: frozenset[str] = field(default_factory=frozenset[str])


class Opener(Protocol):
    def __call__(self, config: Any) -> AbstractAsyncContextManager[Connector]: ...
