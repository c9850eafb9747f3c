"""How far the stages of a run have come, kept with its counts.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty for the runs there are, and for workers of the release before, which do not write it.
    moved = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("runs", sa.Column("moved", moved, nullable=True))
