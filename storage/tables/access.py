"""What opens the connected accounts, who used it, and how somebody came to connect one."""

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

from storage.columns import BigId, Json, UtcDateTime
from storage.tables.making import metadata, of_tenant, within_tenant

credentials = Table(
    "credentials",
    metadata,
    Column("connection_id", Uuid, primary_key=True),
    of_tenant(),
    Column("kind", String(20), nullable=False),  # a CredentialKind of connectors
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", String(16), nullable=False),  # which of the operator's keys sealed it
    Column("version", Integer, nullable=False),  # compare-and-swap: each replacing raises it
    Column("dead", String(30)),  # a Cause of connectors: why it does not open anything any more
    Column("renewing_by", String(64)),  # who refreshes it now, until renewing_until
    Column("renewing_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),  # when its owner gave it
    Column("updated_at", UtcDateTime, nullable=False),
    within_tenant("connections", "connection_id"),
    Index("ix_credentials_key_id", "key_id"),
)

# Rows are only ever added, which the database sees to. No reference to what they are about, for
# they outlive it; and nothing of it but its id.
audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False),
    Column("action", String(30), nullable=False),  # an AuditAction
    Column("actor", String(100), nullable=False),  # run:<id>, or the part of the api that did it
    Column("detail", Text, nullable=False, default=""),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_audit_connection_id", "tenant_id", "connection_id", "id"),
    sqlite_autoincrement=True,
)

connect_sessions = Table(
    "connect_sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("owner", String(200), nullable=False),
    Column("secret", String(64), nullable=False),  # SHA-256 of what the link to the page carries
    Column("browser", String(64)),  # SHA-256 of the cookie of the browser that opened it first
    Column("kind", String(50)),  # of the source, once it is chosen
    Column("step", String(20), nullable=False),  # a Step
    Column("connection_id", Uuid),
    Column("run_id", Uuid),
    Column("notice", Json),  # what the page has to tell: a code, and what belongs to it
    Column("return_to", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "id"),
)

consents = Table(
    "consents",
    metadata,
    Column("state", String(64), primary_key=True),  # SHA-256 of what travels through the browser
    of_tenant(),
    Column("session_id", Uuid, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("kind", String(50), nullable=False),  # of the source it was begun for
    Column("provider", String(50), nullable=False),
    Column("connection_id", Uuid),  # the one that is consented to again
    Column("browser", String(64), nullable=False),
    Column("verifier", LargeBinary, nullable=False),  # of PKCE, sealed
    Column("key_id", String(16), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    within_tenant("connect_sessions", "session_id"),
)
