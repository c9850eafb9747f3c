"""What a source holds, as values: where an artifact is, and what is known before download."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

ExternalId = NewType("ExternalId", str)
"""Stable identity at the source, such as ``file:<repository>:<path>``. Never the content."""

PartitionKey = NewType("PartitionKey", str)
"""One crawlable part of a connection: a repository's code, its issues, a mailbox."""


_PART = "%#"  # no id of an artifact of its own has this in it


def part_of(whole: ExternalId, name: str) -> ExternalId:
    """The id of something that was found in an artifact, and lives as long as that does."""
    return ExternalId(f"{whole}{_PART}{name}")


def whole_of(external_id: ExternalId) -> ExternalId:
    """The artifact that this one is a part of; itself, if it is none."""
    return ExternalId(external_id.partition(_PART)[0])


class Priority(IntEnum):
    """What is worth processing first. Lower comes first."""

    FIRST = 0  # READMEs, manifests, recent mail: what a user asks about first
    EARLY = 1  # documentation
    NORMAL = 2
    LATE = 3  # tests, fixtures, examples


class SkipReason(StrEnum):
    BINARY = "binary"
    GENERATED = "generated"
    VENDORED = "vendored"
    TOO_LARGE = "too_large"
    SECRET = "secret"  # noqa: S105  # a file whose name says that it bears secrets
    EMPTY = "empty"
    IGNORED = "ignored"  # the source's own ignore files say so
    LINK = "link"  # a symbolic link: recorded, never followed
    SUBMODULE = "submodule"
    LFS_POINTER = "lfs_pointer"
    ENCRYPTED = "encrypted"  # nobody gave us its password
    UNREADABLE = "unreadable"  # a file in something that is read, and broken
    BULK = "bulk"  # a mail to nobody in particular: newsletters, notifications
    FORBIDDEN = "forbidden"  # seen, but its owner does not let it be downloaded
    SPECIAL = "special"  # a socket, a device, a pipe


class FailureClass(StrEnum):
    AUTH_EXPIRED = "auth_expired"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"
    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    MALFORMED = "malformed"
    POISON = "poison"  # it killed the process that worked on it
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Ref:
    """Where one artifact is."""

    partition: PartitionKey
    external_id: ExternalId


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What a source tells of an artifact before it is downloaded.

    ``version`` is the provider's cheap version (a blob's SHA, an issue's ``updated_at``): equal
    versions mean that nothing needs to be downloaded. ``size`` is in bytes, maybe an estimate.
    """

    ref: Ref
    version: str
    kind: str  # file, issue, message, …
    title: str
    path: str | None = None
    url: str | None = None
    mime: str | None = None
    size: int | None = None
    priority: Priority = Priority.NORMAL
    created_at: datetime | None = None
    updated_at: datetime | None = None
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
