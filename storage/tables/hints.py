"""What providers told of changes, one row a connection however often they did."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Uuid

from storage.columns import UtcDateTime
from storage.tables.making import metadata, of_tenant, partial_index, within_tenant

hints = Table(
    "hints",
    metadata,
    Column("connection_id", Uuid, primary_key=True),
    of_tenant(),
    Column("pending", BigInteger, nullable=False),  # hints that have led to no run yet
    Column("position", BigInteger),  # the furthest that they said the source has come
    Column("due_at", UtcDateTime),  # when they are looked at; None while nothing is pending
    Column("hinted_at", UtcDateTime, nullable=False),  # the last one
    Column("led_at", UtcDateTime),  # when they led to a run last
    Column("run_id", Uuid),  # that run
    within_tenant("connections", "connection_id"),
)
partial_index("ix_hints_due_at", hints.c.due_at, where=hints.c.due_at.is_not(None))

watches = Table(
    "watches",
    metadata,
    Column("connection_id", Uuid, primary_key=True),
    of_tenant(),
    Column("due_at", UtcDateTime, nullable=False),  # when its source is asked again
    Column("ends_at", UtcDateTime),  # until when the source tells; None: it was never armed
    within_tenant("connections", "connection_id"),
    Index("ix_watches_due_at", "due_at"),
)

# Of all tenants: a delivery is known before it is known whose it is. Nothing can be read from it.
digests = Table(
    "digests",
    metadata,
    Column("digest", String(64), primary_key=True),  # of the kind, and of its id or its body
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_digests_seen_at", "seen_at"),
)
