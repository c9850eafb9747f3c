"""When connections are ingested by themselves, and what leaves the index, and how.

Revision ID: 0012
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")
big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _schedules()
    _leaving()
    _erasing()


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("cron", sa.String(length=200), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("interval_seconds", sa.BigInteger(), nullable=True),
        sa.Column("jitter_seconds", sa.Integer(), nullable=False),
        sa.Column("anchor_at", moment, nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("held", sa.String(length=30), nullable=True),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("fire_at", moment, nullable=False),
        sa.Column("planned_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        _of_connection("schedules"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_schedules")),
    )
    op.create_index("ix_schedules_fire_at", "schedules", ["fire_at"])
    op.create_table(
        "ticks",
        sa.Column("id", big_id, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("fired_at", moment, nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("missed", sa.Integer(), nullable=False),
        _of_connection("ticks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticks")),
        sa.UniqueConstraint("connection_id", "due_at", name=op.f("uq_ticks_connection_id_due_at")),
        sqlite_autoincrement=True,
    )


def _leaving() -> None:
    op.add_column("artifacts", sa.Column("missing_since", moment, nullable=True))
    op.add_column("artifacts", sa.Column("hidden_at", moment, nullable=True))
    _partial_index(
        "ix_artifacts_leaving",
        "artifacts",
        ["connection_id", "partition"],
        where="missing_since IS NOT NULL OR hidden_at IS NOT NULL",
    )
    op.create_table(
        "deletions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.String(length=500), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("artifacts", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("found_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("decided_at", moment, nullable=True),
        _of_connection("deletions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletions")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_deletions_tenant_id_id")),
    )
    op.create_index("ix_deletions_connection_id_id", "deletions", ["connection_id", "id"])
    _partial_index(
        "uq_deletions_open",
        "deletions",
        ["connection_id", "partition"],
        where="decision IS NULL",
        unique=True,
    )


def _erasing() -> None:
    op.create_index("ix_artifacts_digest", "artifacts", ["tenant_id", "digest"])
    op.add_column("connections", sa.Column("leaving_at", moment, nullable=True))
    op.add_column("ledger", sa.Column("connection_id", sa.Uuid(), nullable=True))
    op.create_index("ix_ledger_connection_id", "ledger", ["connection_id"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("counts", json, nullable=False),
        sa.Column("runs", json, nullable=False),
        sa.Column("requested_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_erasures_tenants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("connection_id", name=op.f("uq_erasures_connection_id")),
    )


def _partial_index(
    name: str, table: str, columns: list[str], *, where: str, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: going back would lose data")


def _of_connection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "connection_id"],
        ["connections.tenant_id", "connections.id"],
        name=op.f(f"fk_{table}_connections"),
        ondelete="CASCADE",
    )
