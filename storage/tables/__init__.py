"""Every table, for SQLite and PostgreSQL alike. Rows belong to a tenant; times are UTC.

What only one database has is made by the migrations and used by ``storage.search``: on SQLite an
FTS5 table ``chunks_fts(header, text)`` whose rowid is the chunk's id, kept by triggers; on
PostgreSQL a generated column ``chunks.lexemes`` and an HNSW index over the vectors.
"""

from storage.tables.access import audit, connect_sessions, consents, credentials
from storage.tables.callers import keys, passes
from storage.tables.hints import digests, hints, watches
from storage.tables.hooks import deliveries, webhooks
from storage.tables.making import metadata
from storage.tables.money import budgets, usage
from storage.tables.schedules import schedules, ticks
from storage.tables.sources import (
    artifacts,
    blobs,
    chunks,
    connections,
    deletions,
    embeddings,
    erasures,
    failures,
    partitions,
    tenants,
)
from storage.tables.work import (
    facts,
    ledger,
    milestones,
    outcomes,
    questions,
    requests,
    results,
    runs,
    workers,
    workflows,
)

__all__ = [
    "artifacts",
    "audit",
    "blobs",
    "budgets",
    "chunks",
    "connect_sessions",
    "connections",
    "consents",
    "credentials",
    "deletions",
    "deliveries",
    "digests",
    "embeddings",
    "erasures",
    "facts",
    "failures",
    "hints",
    "keys",
    "ledger",
    "metadata",
    "milestones",
    "outcomes",
    "partitions",
    "passes",
    "questions",
    "requests",
    "results",
    "runs",
    "schedules",
    "tenants",
    "ticks",
    "usage",
    "watches",
    "webhooks",
    "workers",
    "workflows",
]
