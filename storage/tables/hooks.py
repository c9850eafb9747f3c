"""Who is told of events by HTTP, and what they are told."""

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from storage.columns import Json, UtcDateTime
from storage.tables.making import metadata, of_tenant, partial_index, within_tenant

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("url", Text, nullable=False),
    Column("description", String(200), nullable=False),
    Column("kinds", Json),  # the Kinds it is told of; None: all there are and will be
    Column("sealed", LargeBinary, nullable=False),  # its secrets as JSON, the newest first
    Column("key_id", String(16), nullable=False),  # which of the operator's keys sealed them
    Column("overlap_until", UtcDateTime),  # how long the secret before the last one signs, too
    Column("failing_since", UtcDateTime),  # nothing came through since; None: the last one did
    Column("delivered_at", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Column("disabled_for", String(20)),  # a Disabled of storage.webhooks
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "id"),
)

# No reference to what they are about: that somebody disconnected is told when nothing is left.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("webhook_id", Uuid, nullable=False),
    Column("message_id", Uuid, nullable=False),  # the event's: by it receivers know repetitions
    Column("kind", String(50), nullable=False),  # a Kind of storage.webhooks
    Column("connection_id", Uuid),
    Column("run_id", Uuid),
    Column("body", Text, nullable=False),  # as it is signed: every attempt sends the same bytes
    Column("status", String(20), nullable=False),  # a DeliveryStatus of storage.webhooks
    Column("due_at", UtcDateTime),  # the next attempt; while one is made, the end of its lease
    Column("claims", Integer, nullable=False),  # the fencing token of who makes an attempt
    Column("attempts", Integer, nullable=False),  # since it was made, or replayed
    Column("answered", Integer),  # the HTTP status of the last answer
    Column("trouble", String(300)),  # why the last attempt failed
    Column("attempted_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    within_tenant("webhooks", "webhook_id"),
    Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
    Index("ix_deliveries_connection_id", "connection_id"),
    Index("ix_deliveries_created_at", "created_at"),
)
partial_index(
    "ix_deliveries_due",
    deliveries.c.webhook_id,
    deliveries.c.due_at,
    where=deliveries.c.due_at.is_not(None),
)
