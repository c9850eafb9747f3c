"""What was heard, and what a connection has of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, select

from storage.database import Tx
from storage.ids import ConnectionId, TenantId
from storage.tables import hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What changed, in the words by which connections of a kind can be told to be about it.

    One is about it that was connected to ``account`` and chooses nothing, or names ``name`` among
    what it ``chooses`` in its configuration; or that has read a part of it, whose cursor bears
    ``mark``, a field and its value.
    """

    kind: str
    account: str | None = None
    chooses: str | None = None
    name: str | None = None
    mark: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One delivery that was verified. By any of its ``digests`` it is known again."""

    subject: Subject
    digests: tuple[str, ...]
    position: int | None = None

    @classmethod
    def of(
        cls, subject: Subject, known_by: Sequence[str | bytes], position: int | None = None
    ) -> "Heard":
        """What it is known again by is not kept as it is."""
        said = (each.encode() if isinstance(each, str) else each for each in known_by)
        digests = (
            hashlib.sha256(f"{subject.kind} {number} ".encode() + each).hexdigest()
            for number, each in enumerate(said)
        )
        return cls(subject, tuple(digests), position)


@dataclass(frozen=True, slots=True)
class Hinted:
    """``pending`` hints have led to no run yet; the last one came ``at``."""

    pending: int
    at: datetime


async def get(tx: Tx, tenant: TenantId, connection: ConnectionId) -> Hinted | None:
    query = select(hints.c.pending, hints.c.hinted_at).where(
        hints.c.tenant_id == tenant, hints.c.connection_id == connection
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else Hinted(row.pending, row.hinted_at)


async def remove(tx: Tx, tenant: TenantId, connection: ConnectionId) -> None:
    """What was told of it goes with it."""
    mine = and_(hints.c.tenant_id == tenant, hints.c.connection_id == connection)
    await tx.execute(delete(hints).where(mine))
