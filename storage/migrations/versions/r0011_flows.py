"""What became of each item of a workflow's run, and what a run asked of somebody.

Revision ID: 0011
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("component", sa.String(length=100), nullable=False),
        sa.Column("value", json, nullable=False),
        sa.Column("failure", json, nullable=True),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_outcomes")),
        _of_run("outcomes"),
    )
    op.create_table(
        "questions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("schema", json, nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("answer", json, nullable=True),
        sa.Column("answered_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_questions")),
        _of_run("questions"),
    )


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "run_id"],
        ["runs.tenant_id", "runs.id"],
        name=op.f(f"fk_{table}_runs"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: going back would lose data")
