"""What is to be done, who is at it, and what is known to be done already."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    and_,
)

from storage.columns import Json, JsonOrNone, UtcDateTime, Words
from storage.tables.making import metadata, of_tenant, partial_index, within_tenant

runs = Table(
    "runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_tenant(),
    Column("connection_id", Uuid),
    Column("owner", String(200)),  # its connection's, or who asked for it; None: the tenant itself
    Column("workflow", String(100), nullable=False),
    Column("title", Words, nullable=False, server_default=""),  # what it is about, for people
    Column("input", Json, nullable=False),
    Column("status", String(30), nullable=False),
    Column("reason", Json),  # {code, message, until?, action?} of waiting and of failed
    Column("attempt", Integer, nullable=False, default=0),
    Column("worker", String(200)),  # who holds the lease, None when nobody does
    Column("lease_until", UtcDateTime),
    Column("milestones", Integer, nullable=False, default=0),
    Column("seq", BigInteger, nullable=False, default=0),  # the highest stream seq known to SQL
    Column("counts", Json, nullable=False),  # storage.counts.Counts, exact at every commit
    # What else of the state moves with the counts, as of the same commit. None before the first.
    Column("moved", JsonOrNone),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("first_queryable_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("waits_until", UtcDateTime),  # of a run that waits: when to look again by itself
    # Attempts that came to no good end: one that hands over or waits is taken back.
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("wish", String(20)),  # a storage.runs.Wish that its holder has not come to yet
    Column("version", String(100)),  # of the worker that took it last
    # 0 to 99, by which a ramp tells runs apart; None from a release that knew no ramps
    Column("bucket", SmallInteger),
    # The attempt now at it. All but the next two begin anew with every claim.
    Column("deaths", Integer, nullable=False, server_default="0"),  # losses in a row
    Column("in_hand", Json),  # ids of the artifacts that die with the process
    Column("claimed_at", UtcDateTime),
    Column("beat_at", UtcDateTime),
    Column("lag_ms", Integer),  # how late the worker's main loop is
    Column("progress", String(200)),  # an opaque token: another one is progress
    Column("progressed_at", UtcDateTime),
    Column("hold_seconds", Integer, nullable=False, server_default="120"),
    Column("stalled_at", UtcDateTime),  # when it was told to stand still
    UniqueConstraint("tenant_id", "id"),
    within_tenant("connections", "connection_id"),
    Index("ix_runs_connection_id_id", "connection_id", "id"),
    Index("ix_runs_owner", "tenant_id", "owner", "id"),
)
# What a worker looks through to find something to do.
partial_index("ix_runs_open", runs.c.created_at, where=runs.c.finished_at.is_(None))
# A second start while one runs returns the same run: at most one unfinished ingestion a connection.
partial_index(
    "uq_runs_open_connection",
    runs.c.connection_id,
    where=and_(runs.c.finished_at.is_(None), runs.c.workflow == "ingest"),
    unique=True,
)

workflows = Table(  # what the workers can do, as they say it
    "workflows",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("title", String(200), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("input_schema", Json, nullable=False),
    Column("output_schema", Json, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("version", String(100), nullable=False),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

milestones = Table(
    "milestones",
    metadata,
    of_tenant(),
    Column("run_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),  # 1, 2, 3 … within the run
    Column("kind", String(50), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("data", Json, nullable=False),
    Column("patch", Json, nullable=False),
    within_tenant("runs", "run_id"),
)

results = Table(  # what a run of a workflow came to; not in its row, since it may be large
    "results",
    metadata,
    of_tenant(),
    Column("run_id", Uuid, primary_key=True),
    Column("text", Words, nullable=False),
    Column("items", Json, nullable=False),
    Column("output", JsonOrNone, nullable=False),
    within_tenant("runs", "run_id"),
)

outcomes = Table(  # what became of the items of a run, so that its next attempt does none again
    "outcomes",
    metadata,
    of_tenant(),
    Column("run_id", Uuid, primary_key=True),
    Column("key", String(64), primary_key=True),  # the ledger's, where the component keeps there
    Column("component", String(100), nullable=False),
    Column("value", JsonOrNone, nullable=False),  # None also if the result is in the ledger
    Column("failure", Json),  # {failure, detail, action} of an item that failed
    within_tenant("runs", "run_id"),
)

questions = Table(  # what a run asked of somebody, and what they answered
    "questions",
    metadata,
    of_tenant(),
    Column("run_id", Uuid, primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("schema", Json, nullable=False),  # JSON Schema of the answer
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answer", Json),
    Column("answered_at", UtcDateTime),
    within_tenant("runs", "run_id"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key", String(64), primary_key=True),  # SHA-256 of component, version and input key
    Column("component", String(100), nullable=False),
    Column("connection_id", Uuid),  # whose content it was made of first: it goes with that
    # a component may well have made None of its input
    Column("value", JsonOrNone, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_ledger_connection_id", "connection_id"),
)

requests = Table(  # what was answered to an Idempotency-Key
    "requests",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("route", String(200), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

facts = Table(  # small truths about the installation: its name, its schema's maker
    "facts",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", Json, nullable=False),
)
