"""All that is held about an owner, page by page: for whoever asks for it, or leaves.

Each page is a transaction of its own, so that a reader who takes an hour holds up nobody; what
changes meanwhile may be told as it was or as it is. Nothing that opens anything is in it.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, and_, literal, select, tuple_

from storage import blobs
from storage.clock import now
from storage.database import Database, Tx
from storage.ids import TenantId
from storage.tables import (
    artifacts,
    audit,
    chunks,
    connect_sessions,
    connections,
    deletions,
    failures,
    milestones,
    questions,
    results,
    runs,
    schedules,
    ticks,
    usage,
)

ROWS = 200
CONTENTS = 4
"""Artifacts at once: each with its content, which may be a large file."""

OURS = {"tenant_id", "secret", "browser", "fingerprint", "progress", "hold_seconds", "in_hand"}
"""Columns that say nothing of the owner, or that open something."""

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Section:
    kind: str
    table: Table
    where: ColumnElement[bool]

    @property
    def at_once(self) -> int:
        return CONTENTS if self.table is artifacts else ROWS


async def export(database: Database, tenant: TenantId, owner: str) -> AsyncGenerator[Line]:
    """Lines, each with its ``type``. The last is ``end`` and counts them: without it some lack."""
    yield {"type": "export", "owner": owner, "at": now().isoformat()}
    counts: dict[str, int] = {}
    for section in _sections(tenant, owner):
        async for line in _lines(database, tenant, section):
            counts[section.kind] = counts.get(section.kind, 0) + 1
            yield line
    yield {"type": "end", "counts": counts}


def _sections(tenant: TenantId, owner: str) -> Sequence[_Section]:
    mine = select(connections.c.id).where(*_of(connections, tenant), connections.c.owner == owner)
    their_runs = select(runs.c.id).where(*_of(runs, tenant), runs.c.owner == owner)

    def of(kind: str, table: Table) -> _Section:
        linked = "run_id" if table in {milestones, questions, results, usage} else "connection_id"
        ids = their_runs if linked == "run_id" else mine
        return _Section(kind, table, and_(*_of(table, tenant), table.c[linked].in_(ids)))

    def named(kind: str, table: Table) -> _Section:
        return _Section(kind, table, and_(*_of(table, tenant), table.c.owner == owner))

    return (
        named("connection", connections),
        of("schedule", schedules),
        of("tick", ticks),
        of("artifact", artifacts),
        of("failure", failures),
        of("deletion", deletions),
        of("audit", audit),
        named("connect_session", connect_sessions),
        named("run", runs),
        of("event", milestones),
        of("question", questions),
        of("result", results),
        of("usage", usage),
    )


def _of(table: Table, tenant: TenantId) -> tuple[ColumnElement[bool]]:
    return (table.c.tenant_id == tenant,)


async def _lines(database: Database, tenant: TenantId, section: _Section) -> AsyncGenerator[Line]:
    after: Sequence[Any] | None = None
    while True:
        async with database.reading() as tx:
            found = await _page(tx, section, after)
            lines = [await _line(tx, tenant, section, row) for row in found]
        for line in lines:
            yield line
        if len(found) < section.at_once:
            return
        after = [found[-1]._mapping[each.name] for each in section.table.primary_key.columns]  # noqa: SLF001  # it is public


async def _page(tx: Tx, section: _Section, after: Sequence[Any] | None) -> Sequence[Row[Any]]:
    keys = list(section.table.primary_key.columns)
    query = select(section.table).where(section.where).order_by(*keys).limit(section.at_once)
    if after is not None:
        place = [literal(value, key.type) for key, value in zip(keys, after, strict=True)]
        query = query.where(tuple_(*keys) > tuple_(*place))
    return (await tx.execute(query)).all()


async def _line(tx: Tx, tenant: TenantId, section: _Section, row: Row[Any]) -> Line:
    told = {
        name: _json(value)
        for name, value in row._mapping.items()  # noqa: SLF001  # it is public
        if name not in OURS
    }
    if section.table is artifacts:
        told |= await _content(tx, tenant, row)
    return {"type": section.kind, **told}


async def _content(tx: Tx, tenant: TenantId, row: Row[Any]) -> Line:
    """As it was fetched: text as text. What is no text comes as it is, with what was read in it."""
    kept = await blobs.get(tx, tenant, [row.digest]) if row.digest else {}
    body = kept.get(row.digest)
    if body is not None:
        try:
            return {"text": body.decode()}
        except UnicodeDecodeError:
            pass
    query = select(chunks.c.text).where(chunks.c.artifact_id == row.id).order_by(chunks.c.ordinal)
    read = "\n".join((await tx.scalars(query)).all())
    whole = {} if body is None else {"content_base64": b64encode(body).decode()}
    return {"text": read, **whole}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
