"""Workflows beside ingestion: what workers can do, and what a run of one came to.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("runs", sa.Column("title", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE runs SET title = (SELECT title FROM connections WHERE id = runs.connection_id) "
        "WHERE connection_id IS NOT NULL"
    )
    op.create_table(
        "results",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("items", json, nullable=False),
        sa.Column("output", json, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["runs.tenant_id", "runs.id"],
            name=op.f("fk_results_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_results")),
    )
    op.create_table(
        "workflows",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("input_schema", json, nullable=False),
        sa.Column("output_schema", json, nullable=False),
        sa.Column("published_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_workflows")),
    )
    # Only ingestions exclude one another: other workflows may look at a connection meanwhile.
    op.drop_index("uq_runs_open_connection", table_name="runs")
    only = sa.text("finished_at IS NULL AND workflow = 'ingest'")
    op.create_index(
        "uq_runs_open_connection",
        "runs",
        ["connection_id"],
        unique=True,
        sqlite_where=only,
        postgresql_where=only,
    )
