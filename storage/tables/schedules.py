"""When a connection is ingested by itself, and what became of each time it was due."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from storage.columns import BigId, UtcDateTime
from storage.tables.making import metadata, of_tenant, within_tenant

schedules = Table(
    "schedules",
    metadata,
    Column("connection_id", Uuid, primary_key=True),
    of_tenant(),
    Column("cron", String(200)),  # either this, or interval_seconds
    Column("time_zone", String(64), nullable=False),
    Column("interval_seconds", BigInteger),
    Column("jitter_seconds", Integer, nullable=False),
    Column("anchor_at", UtcDateTime, nullable=False),  # intervals are counted from here
    Column("paused", Boolean, nullable=False, default=False),
    Column("held", String(30)),  # a storage.schedules.Hold: why it cannot go on by itself
    Column("due_at", UtcDateTime, nullable=False),  # the next tick that is not accounted for
    Column("fire_at", UtcDateTime, nullable=False),  # the same with its jitter
    Column("planned_at", UtcDateTime, nullable=False),  # later than now: the clock was set back
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    within_tenant("connections", "connection_id"),
    Index("ix_schedules_fire_at", "fire_at"),
)

ticks = Table(
    "ticks",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    of_tenant(),
    Column("connection_id", Uuid, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("fired_at", UtcDateTime, nullable=False),
    Column("outcome", String(20), nullable=False),  # a storage.schedules.Outcome
    Column("run_id", Uuid),  # the one it started, or the one that was in its way
    Column("missed", Integer, nullable=False),  # earlier ticks that it stands for
    UniqueConstraint("connection_id", "due_at"),  # none happens twice, whoever looks
    within_tenant("connections", "connection_id"),
    sqlite_autoincrement=True,
)
