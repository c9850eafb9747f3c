"""A run that has to wait lets its worker go, and is not blamed for the attempts that this takes.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("waits_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
