"""Of which partitions it is settled what is gone.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    unsettled = sa.false()
    settled: sa.Column[bool]
    settled = sa.Column("settled", sa.Boolean(), nullable=False, server_default=unsettled)
    op.add_column("partitions", settled)
