"""Artifacts on their way into the index, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.ids import ArtifactId, ConnectionId, RunId


class ArtifactStatus(StrEnum):
    STAGED = "staged"  # fetched, and waiting to be processed
    READY = "ready"
    SKIPPED = "skipped"
    FAILED = "failed"
    HIDDEN = "hidden"  # gone from its source, or access was lost: kept for a while, and not shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """``run_id`` wrote it last; ``reason`` says why it was skipped or failed."""

    id: ArtifactId
    external_id: str
    status: ArtifactStatus
    reason: str | None
    version: str | None
    digest: str | None
    ready_key: str | None
    run_id: RunId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing(Known):
    """One that a listing lacks."""

    created_at: datetime
    missing_since: datetime | None = None
    """When a listing of its source lacked it for the first time in a row."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many were hidden, and how many of these the same run had staged."""

    number: int
    staged: int

    def __add__(self, other: "Hidden") -> "Hidden":
        return Hidden(self.number + other.number, self.staged + other.staged)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """``created_at`` and ``updated_at`` are the source's."""

    partition: str
    external_id: str
    kind: str
    title: str
    path: str | None
    url: str | None
    mime: str | None
    size: int | None
    version: str
    digest: str
    priority: int
    meta: Mapping[str, Any]
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSkip:
    partition: str
    external_id: str
    title: str
    reason: str
    detail: str
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    id: ArtifactId
    partition: str
    external_id: str
    kind: str
    title: str
    path: str | None
    digest: str
    meta: Mapping[str, Any]
    version: str | None
    ready_key: str | None
    run_id: RunId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """``digest`` is the content that was processed; ``ready_key`` adds what processed it."""

    id: ArtifactId
    digest: str
    ready_key: str
    title: str
    reading: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRow:
    """An artifact as it is shown. ``run`` is the one that wrote it last.

    ``reason``, ``detail`` and ``action`` say why it was skipped or failed, and what to do about it.
    """

    id: ArtifactId
    connection: ConnectionId
    run: RunId | None
    partition: str
    external_id: str
    status: ArtifactStatus
    reason: str | None
    detail: str | None
    action: str | None
    kind: str
    title: str
    path: str | None
    url: str | None
    mime: str | None
    size: int | None
    version: str | None
    digest: str | None
    meta: Mapping[str, Any]
    reading: Mapping[str, Any] | None
    source_created_at: datetime | None
    source_updated_at: datetime | None
    ready_at: datetime | None
    created_at: datetime
    updated_at: datetime
