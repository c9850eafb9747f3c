"""What a connector yields while it reads, in order. Failures and waits are events too.

``Checkpoint(cursor)`` is the promise that whatever was yielded before it is all there is up to
``cursor``. The runtime stores it in one transaction with what it covers, so that a crash can repeat
work and never skip it. Delivering an event twice is harmless.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from connectors.artifact import Artifact, FailureClass, PartitionKey, Ref, SkipReason


class Cursor(BaseModel):
    """A place in a partition: small, versioned, never a list of ids. Subclass it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = 1


@dataclass(frozen=True, slots=True)
class Upsert:
    """The artifact is there. Its bytes come by ``Connector.fetch`` if the runtime wants them."""

    artifact: Artifact


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The source itself says that the artifact is deleted."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class AccessLost:
    """The source does not show the artifact any more, and does not say that it is deleted.

    Without a ``ref`` it is about the whole partition. What is known of it is hidden and kept for a
    while: it comes back with the next ``Upsert``, and a partition is read from its start again.
    """

    partition: PartitionKey
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """The artifact is there and will not be ingested. ``detail`` says why in plain words."""

    ref: Ref
    reason: SkipReason
    detail: str
    title: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The artifact, or with no ``ref`` a part of the partition, could not be read."""

    ref: Ref | None
    partition: PartitionKey
    failure: FailureClass
    detail: str
    action: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The source asked for a pause. The run is alive."""

    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Total:
    """How many artifacts the partition holds, also those skipped and failed, as known now.

    It is about the whole partition, whatever the cursor that the read resumed from.
    """

    partition: PartitionKey
    artifacts: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that is up to ``cursor`` has been yielded. ``done`` on the partition's last one.

    ``quiet``, on that one: nothing has left the partition since it was last read to its end, but
    what was told. If a census had settled what is gone by then, no other one is asked for.
    """

    partition: PartitionKey
    cursor: Cursor
    done: bool = False
    quiet: bool = False


Event = Upsert | Tombstone | AccessLost | Skipped | Failed | Waiting | Total | Checkpoint


@dataclass(frozen=True, slots=True)
class Seen:
    """An artifact exists now, at this version. Nothing was downloaded."""

    ref: Ref
    version: str


@dataclass(frozen=True, slots=True)
class CensusComplete:
    """The listing ended without a failure anywhere: only now does absence mean anything."""

    artifacts: int


CensusEvent = Seen | CensusComplete
