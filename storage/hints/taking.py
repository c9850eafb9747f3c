"""Taking in what was heard: once each, and as one row a connection."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, case, cast, delete, func, literal, or_, select

from storage.bulk import batches, insert
from storage.database import Database, Tx
from storage.hints.leading import SETTLE
from storage.hints.values import Heard, Subject
from storage.ids import ConnectionId, TenantId
from storage.tables import connections, digests, hints, partitions

Touched = tuple[TenantId, ConnectionId]


@dataclass(slots=True)
class Sum:
    """What all that was heard of one connection comes to."""

    hints: int = 0
    position: int | None = None

    def add(self, heard: Heard) -> None:
        self.hints += 1
        if heard.position is not None:
            self.position = max(heard.position, self.position or 0)


async def take(database: Database, heard: Sequence[Heard], *, moment: datetime) -> int:
    """Keep what concerns a connection and was not heard before. Answers how many were kept."""
    subjects = dict.fromkeys(each.subject for each in heard)
    async with database.reading() as tx:  # it may take its time, and must not hold up writers
        touched = {subject: await _touched(tx, subject) for subject in subjects}
    ours = [each for each in heard if touched[each.subject]]
    if not ours:
        return 0
    async with database.transaction() as tx:
        news = await _news(tx, ours, moment)
        sums: dict[Touched, Sum] = {}
        for each in news:
            for connection in touched[each.subject]:
                sums.setdefault(connection, Sum()).add(each)
        for connection in await _there(tx, sums):
            await _keep(tx, connection, sums[connection], moment)
    return len(news)


async def forget(tx: Tx, *, before: datetime, limit: int) -> int:
    """Drop by what deliveries of that time are known again. Answers how many it dropped."""
    some = select(digests.c.digest).where(digests.c.seen_at < before).limit(limit)
    gone = await tx.execute(delete(digests).where(digests.c.digest.in_(some)))
    return gone.rowcount


async def _news(tx: Tx, heard: Sequence[Heard], moment: datetime) -> list[Heard]:
    """Those of which nothing was known: neither what it was called nor what it said.

    What is known is not written again, by whatever new name it comes: names cost nothing.
    """
    known: set[str] = set()
    for some in batches({digest for each in heard for digest in each.digests}):
        there = select(digests.c.digest).where(digests.c.digest.in_(some))
        known.update(await tx.scalars(there))
    unknown: list[Heard] = []
    for each in heard:
        if known.isdisjoint(each.digests):
            known.update(each.digests)
            unknown.append(each)
    new: set[str] = set()
    for some in batches(sorted({digest for each in unknown for digest in each.digests})):
        rows = [{"digest": digest, "seen_at": moment} for digest in some]
        made = insert(tx, digests).on_conflict_do_nothing().returning(digests.c.digest)
        new.update(await tx.scalars(made, rows))
    return [each for each in unknown if new.issuperset(each.digests)]


async def _there(tx: Tx, touched: Collection[Touched]) -> list[Touched]:
    """Those that are not being erased meanwhile; in one order, whoever else takes some in."""
    found: set[ConnectionId] = set()
    for some in batches({connection for _, connection in touched}):
        query = select(connections.c.id).where(
            connections.c.id.in_(some), connections.c.leaving_at.is_(None)
        )
        found.update(await tx.scalars(query.with_for_update(read=True, key_share=True)))
    return sorted(each for each in touched if each[1] in found)


async def _keep(tx: Tx, touched: Touched, it: Sum, moment: datetime) -> None:
    tenant, connection = touched
    due = moment + SETTLE
    row = {
        "connection_id": connection,
        "tenant_id": tenant,
        "pending": it.hints,
        "position": it.position,
        "due_at": due,
        "hinted_at": moment,
    }
    again: dict[str, Any] = {
        "pending": hints.c.pending + it.hints,
        "due_at": func.coalesce(hints.c.due_at, literal(due, hints.c.due_at.type)),
        "hinted_at": moment,
    }
    if it.position is not None:
        further = hints.c.position > it.position
        again["position"] = case((further, hints.c.position), else_=it.position)
    await tx.execute(
        insert(tx, hints)
        .values(row)
        .on_conflict_do_update(index_elements=["connection_id"], set_=again)
    )


async def _touched(tx: Tx, subject: Subject) -> list[Touched]:
    """The connections that are about it."""
    marked = _marked(subject)
    query = select(
        connections.c.id,
        connections.c.tenant_id,
        connections.c.account,
        connections.c.config,
        marked.label("marked"),
    ).where(
        connections.c.kind == subject.kind,
        connections.c.leaving_at.is_(None),
        or_(marked, *_likely(subject)),
    )
    return [
        (TenantId(row.tenant_id), ConnectionId(row.id))
        for row in await tx.execute(query)
        if row.marked or _is_about(row, subject)
    ]


def _marked(subject: Subject) -> ColumnElement[bool]:
    if subject.mark is None:
        return literal(value=False)
    field, value = subject.mark
    said = cast(partitions.c.cursor[field].as_string(), Text)
    return connections.c.id.in_(select(partitions.c.connection_id).where(said == str(value)))


def _likely(subject: Subject) -> Iterable[ColumnElement[bool]]:
    if subject.account is not None:
        yield func.lower(connections.c.account) == subject.account.lower()
    if subject.name is not None:
        named = json.dumps(subject.name.lower())
        yield func.lower(cast(connections.c.config, Text)).contains(named, autoescape=True)


def _is_about(row: Row[Any], subject: Subject) -> bool:
    config: Mapping[str, Any] = row.config
    chosen = config.get(subject.chooses) if subject.chooses else None
    if chosen:
        return (subject.name or "").lower() in {str(each).lower() for each in chosen}
    return subject.account is not None and (row.account or "").lower() == subject.account.lower()
