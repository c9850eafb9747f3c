"""What was used of models, and what may be."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer, String, Table, Uuid

from storage.columns import UtcDateTime
from storage.tables.making import metadata

usage = Table(
    "usage",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("run_id", Uuid, primary_key=True),  # no reference: what was paid outlives the run
    Column("component", String(100), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("month", String(7), primary_key=True),  # 2026-11, in UTC
    Column("calls", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_nanos", BigInteger, nullable=False),  # billionths of a US dollar
    Column("unpriced", Integer, nullable=False),  # calls of models without a known price
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key", String(50), primary_key=True),  # "month", "run", or a run's id
    Column("limit_nanos", BigInteger, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
