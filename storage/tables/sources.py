"""Whose data it is, where it comes from, and what was made of it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    literal,
    or_,
)

from storage.columns import BigId, Halves, Json, JsonOrNone, UtcDateTime, Words
from storage.tables.making import metadata, of_tenant, partial_index, within_tenant

tenants = Table(
    "tenants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

connections = Table(
    "connections",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("kind", String(50), nullable=False),
    Column("title", Words, nullable=False),
    Column("config", Json, nullable=False),
    Column("account", Text),  # whose it is at the provider, by an id that never changes
    # canonical hash of configuration and account: the same source twice is the same connection
    Column("fingerprint", String(64), nullable=False),
    Column("profile", Json),  # what a model is asked besides: instructions, schema
    Column("created_at", UtcDateTime, nullable=False),
    Column("leaving_at", UtcDateTime),  # it is being erased, and there for nobody
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "owner", "kind", "fingerprint"),
)

partitions = Table(
    "partitions",
    metadata,
    of_tenant(),
    Column("connection_id", Uuid, primary_key=True),
    Column("key", String(500), primary_key=True),
    Column("cursor", Json),
    # the crawl that ends at this cursor was finished: a later run starts a new one from it
    Column("done", Boolean, nullable=False, default=False),
    # a listing has settled what is gone, and nothing left since without being told
    Column("settled", Boolean, nullable=False, default=False),
    Column("updated_at", UtcDateTime, nullable=False),
    within_tenant("connections", "connection_id"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),  # content is never shared between tenants
    Column("digest", String(64), primary_key=True),  # SHA-256 of the content
    Column("size", BigInteger, nullable=False),  # bytes before compression
    Column("body", LargeBinary, nullable=False),  # zstandard
    Column("created_at", UtcDateTime, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False),
    Column("partition", String(500), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("status", String(20), nullable=False),  # an ArtifactStatus
    Column("reason", String(50)),  # why skipped or failed: SkipReason or FailureClass of connectors
    Column("detail", Words),  # the reason in plain words
    Column("kind", String(50), nullable=False),
    Column("title", Words, nullable=False),
    Column("path", Words),
    Column("url", Words),
    Column("mime", Words),
    Column("size", BigInteger),
    Column("version", Text),  # the source's, of what was fetched last
    Column("digest", String(64)),  # content hash of what was fetched last
    Column("ready_key", String(64)),  # what was made searchable: content + components' versions
    Column("priority", SmallInteger, nullable=False, default=2),
    Column("meta", Json, nullable=False),
    Column("reading", Json),  # what a reader made of it: summary, phrases, language, producer
    Column("run_id", Uuid),  # the run that wrote this row last
    Column("missing_since", UtcDateTime),  # a listing of its source lacked it, and it is kept
    Column("hidden_at", UtcDateTime),  # gone from its source: purged some days after
    Column("source_created_at", UtcDateTime),
    Column("source_updated_at", UtcDateTime),
    Column("ready_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("connection_id", "external_id"),
    within_tenant("connections", "connection_id"),
    # the queue of what is staged, most useful first
    Index("ix_artifacts_queue", "connection_id", "status", "priority", "id"),
    Index("ix_artifacts_connection_id_id", "connection_id", "id"),
    Index("ix_artifacts_digest", "tenant_id", "digest"),  # by which contents are still named
    sqlite_autoincrement=True,  # an id is never given twice, not even after a deletion
)
# What can be searched is counted at every checkpoint.
partial_index(
    "ix_artifacts_searchable",
    artifacts.c.connection_id,
    where=and_(artifacts.c.ready_key.is_not(None), artifacts.c.status != literal("hidden")),
)
# Few are on their way out: finding them must cost nothing.
partial_index(
    "ix_artifacts_leaving",
    artifacts.c.connection_id,
    artifacts.c.partition,
    where=or_(artifacts.c.missing_since.is_not(None), artifacts.c.hidden_at.is_not(None)),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False),
    Column("artifact_id", BigId, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start_byte", Integer, nullable=False),
    Column("end_byte", Integer, nullable=False),
    Column("start_line", Integer, nullable=False),  # from 1
    Column("end_line", Integer, nullable=False),  # included
    Column("symbol", Words, nullable=False, default=""),  # Class.method, or a heading's path
    Column("header", Words, nullable=False, default=""),  # path and symbol, as they were embedded
    Column("text", Words, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("digest", String(64), nullable=False),  # of header and text: equal means equal vector
    ForeignKeyConstraint(
        ["tenant_id", "artifact_id"], ["artifacts.tenant_id", "artifacts.id"], ondelete="CASCADE"
    ),
    UniqueConstraint("artifact_id", "ordinal"),
    Index("ix_chunks_connection_id", "connection_id"),
    Index("ix_chunks_digest", "tenant_id", "digest"),
    sqlite_autoincrement=True,  # an id is never given twice: readers remember vectors by it
)

# One row a chunk and model: a new model is embedded beside the old one while that one serves.
embeddings = Table(
    "embeddings",
    metadata,
    Column("chunk_id", BigId, primary_key=True),
    Column("model", String(100), primary_key=True),
    of_tenant(),
    Column("dimension", SmallInteger, nullable=False),
    Column("vector", Halves, nullable=False),
    ForeignKeyConstraint(["chunk_id"], ["chunks.id"], ondelete="CASCADE"),
    CheckConstraint("dimension > 0", name="dimension"),
)

failures = Table(
    "failures",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False),
    Column("partition", String(500), nullable=False),
    Column("external_id", Text, nullable=False, default=""),  # empty: a part of the partition
    Column("title", Words, nullable=False),
    Column("stage", String(50), nullable=False),
    Column("failure", String(50), nullable=False),  # a FailureClass of connectors
    Column("fingerprint", String(64), nullable=False),  # stage, class and cause: groups alike ones
    Column("detail", Words, nullable=False),
    Column("action", Text, nullable=False),  # what the user can do about it
    Column("attempts", Integer, nullable=False, default=1),
    Column("run_id", Uuid, nullable=False),  # the run that saw it last
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    UniqueConstraint("connection_id", "partition", "external_id", "stage"),
    within_tenant("connections", "connection_id"),
)
# Few failures stay open: resolving one, and asking whether there are any, must cost nothing.
partial_index(
    "ix_failures_open",
    failures.c.connection_id,
    failures.c.external_id,
    where=failures.c.resolved_at.is_(None),
)

# What listings lacked and was kept until somebody says whether it is gone.
deletions = Table(
    "deletions",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False),
    Column("partition", String(500), nullable=False),
    Column("run_id", Uuid, nullable=False),  # the run that found it last
    Column("artifacts", Integer, nullable=False),
    Column("total", Integer, nullable=False),  # of how many
    Column("reason", String(20), nullable=False),  # a Doubt of storage.deletions
    Column("found_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("decision", String(20)),  # a Decision; None while it waits for one
    Column("decided_at", UtcDateTime),
    UniqueConstraint("tenant_id", "id"),
    within_tenant("connections", "connection_id"),
    Index("ix_deletions_connection_id_id", "connection_id", "id"),
)
partial_index(
    "uq_deletions_open",
    deletions.c.connection_id,
    deletions.c.partition,
    where=deletions.c.decision.is_(None),
    unique=True,
)

# What was erased: ids, numbers and moments. It outlives what it is about, and is its receipt.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False, unique=True),
    Column("owner_digest", String(64)),  # they may see it, and are not named; null before 0016
    Column("step", String(20), nullable=False),  # a Step of storage.erasing
    Column("revoked", Boolean, nullable=False),  # the provider was told
    Column("counts", Json, nullable=False),
    Column("runs", JsonOrNone, nullable=False),  # [id, attempt] of those whose traces are elsewhere
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
