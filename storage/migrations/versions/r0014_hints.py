"""What providers told of changes, and what they are asked to tell.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "hints",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("hinted_at", moment, nullable=False),
        sa.Column("led_at", moment, nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        _of_connection("hints"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_hints")),
    )
    pending = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_hints_due_at", "hints", ["due_at"], sqlite_where=pending, postgresql_where=pending
    )
    op.create_table(
        "watches",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=True),
        _of_connection("watches"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_watches")),
    )
    op.create_index("ix_watches_due_at", "watches", ["due_at"])
    op.create_table(
        "digests",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_digests")),
    )
    op.create_index("ix_digests_seen_at", "digests", ["seen_at"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: going back would lose data")


def _of_connection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "connection_id"],
        ["connections.tenant_id", "connections.id"],
        name=op.f(f"fk_{table}_connections"),
        ondelete="CASCADE",
    )
