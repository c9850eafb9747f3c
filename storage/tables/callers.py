"""Who may ask the api for what: keys that are kept, and passes that are over in minutes."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from storage.columns import Json, JsonOrNone, UtcDateTime
from storage.tables.making import metadata, of_tenant, within_tenant

keys = Table(
    "keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("name", String(200), nullable=False),
    Column("prefix", String(16), nullable=False),  # the part of it that may be shown
    Column("digest", String(64), nullable=False),  # SHA-256 of the whole: 190 bits need no salt
    Column("scopes", Json, nullable=False),
    Column("owner", String(200)),  # all it can see is this owner's
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("used_at", UtcDateTime),  # to the minute
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("prefix"),
)

passes = Table(
    "passes",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of what the browser holds
    of_tenant(),
    Column("key_id", Uuid),  # which key gave it and takes it along; None: one-machine mode
    Column("owner", String(200)),
    Column("scopes", Json, nullable=False),
    Column("runs", JsonOrNone),  # ids of the runs it is for; None: any
    Column("origin", String(300)),  # of the pages that may use it
    Column("once", Boolean, nullable=False),  # gone when it is used
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    within_tenant("keys", "key_id"),
    Index("ix_passes_expires_at", "expires_at"),
)
