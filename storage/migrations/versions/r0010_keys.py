"""Keys of the api, passes for browsers, and whose each run is.

Revision ID: 0010
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")
OWNERS = """
    UPDATE runs SET owner = (
        SELECT connections.owner FROM connections WHERE connections.id = runs.connection_id
    ) WHERE connection_id IS NOT NULL
"""


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", json, nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
        sa.Column("used_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_keys_tenants"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_keys_tenant_id_id")),
        sa.UniqueConstraint("prefix", name=op.f("uq_keys_prefix")),
    )
    op.create_table(
        "passes",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("scopes", json, nullable=False),
        sa.Column("runs", json, nullable=True),
        sa.Column("origin", sa.String(length=300), nullable=True),
        sa.Column("once", sa.Boolean(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_passes")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_passes_tenants"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "key_id"],
            ["keys.tenant_id", "keys.id"],
            name=op.f("fk_passes_keys"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_passes_expires_at", "passes", ["expires_at"])
    op.add_column("runs", sa.Column("owner", sa.String(length=200), nullable=True))
    op.execute(OWNERS)
    op.create_index("ix_runs_owner", "runs", ["tenant_id", "owner", "id"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: going back would lose data")
