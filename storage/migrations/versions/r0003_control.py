"""What a run is asked to do while it runs, how its attempt fares, and who the workers are.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    # Processes of the release before go on writing rows while this one comes up: what they do not
    # know of is either empty or has a default of the database's own.
    for column in (
        sa.Column("wish", sa.String(length=20), nullable=True),
        sa.Column("version", sa.String(length=100), nullable=True),
        sa.Column("bucket", sa.SmallInteger(), nullable=True),
        sa.Column("deaths", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("in_hand", json, nullable=True),
        sa.Column("claimed_at", moment, nullable=True),
        sa.Column("beat_at", moment, nullable=True),
        sa.Column("lag_ms", sa.Integer(), nullable=True),
        sa.Column("progress", sa.String(length=200), nullable=True),
        sa.Column("progressed_at", moment, nullable=True),
        sa.Column("hold_seconds", sa.Integer(), nullable=False, server_default="120"),
        sa.Column("stalled_at", moment, nullable=True),
    ):
        op.add_column("runs", column)
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
