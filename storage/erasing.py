"""Erasing a connection: every byte of it, a step at a time, whoever dies in the middle.

From the request on it is there for nobody: its row bears nothing any more, its schedule and its
open runs are gone, so that whatever attempt is at them is refused, and the same account connected
again is another connection. The rest goes in short transactions. What stays is the erasure itself,
which holds ids, numbers and moments, the audit of the credential, and what was spent.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, and_, cast, delete, or_, select, text, update

from storage import blobs, credentials, hints, schedules, watches
from storage.bulk import insert
from storage.clock import now
from storage.database import BUSY_TIMEOUT_MS, Database, Tx
from storage.errors import DatabaseUnavailable
from storage.ids import Attempt, ConnectionId, RunId, TenantId, new_id
from storage.tables import (
    artifacts,
    connect_sessions,
    connections,
    erasures,
    ledger,
    requests,
    runs,
)
from storage.webhooks import outbox, replaying
from storage.webhooks.values import Kind

AT_ONCE = 500
RUNS_AT_ONCE = 20
READERS_MS = 2_000


class Step(StrEnum):
    """What is being erased. Each may be done again."""

    DATA = "data"  # rows
    STREAMS = "streams"  # Redis
    ORCHESTRATOR = "orchestrator"  # what Prefect remembers of its runs
    FILES = "files"  # what the database's files still hold of deleted rows
    DONE = "done"


AFTER = {
    Step.DATA: Step.STREAMS,
    Step.STREAMS: Step.ORCHESTRATOR,
    Step.ORCHESTRATOR: Step.FILES,
    Step.FILES: Step.DONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """``counts`` are of rows, by what they were. ``runs`` have traces that are not in SQL."""

    id: UUID
    tenant: TenantId
    connection: ConnectionId
    step: Step
    revoked: bool
    counts: Mapping[str, int]
    runs: Sequence[tuple[RunId, Attempt]]
    requested_at: datetime
    finished_at: datetime | None
    owner_digest: str | None

    def is_of(self, owner: str) -> bool:
        """Whether it is this owner's, whom it does not name."""
        theirs = _digest(self.id, owner)
        return self.owner_digest is not None and hmac.compare_digest(self.owner_digest, theirs)


async def request(
    tx: Tx, tenant: TenantId, connection: ConnectionId, *, revoked: bool, actor: str
) -> Erasure | None:
    """Begin it. Asked for again, it is the same one; None if there is no such connection."""
    mine = and_(connections.c.tenant_id == tenant, connections.c.id == connection)
    owner = await tx.scalar(select(connections.c.owner).where(mine).with_for_update())
    known = await find(tx, tenant, connection)
    if known is not None or owner is None:
        return known
    await _take_away(tx, tenant, connection, actor=actor)
    still_open = and_(runs.c.connection_id == connection, runs.c.finished_at.is_(None))
    stopped = await _delete_runs(tx, still_open)
    erasure_id = new_id()
    row = {
        "id": erasure_id,
        "tenant_id": tenant,
        "connection_id": connection,
        "owner_digest": _digest(erasure_id, owner),
        "step": Step.DATA,
        "revoked": revoked,
        "counts": {"runs": len(stopped)},
        "runs": stopped,
        "requested_at": now(),
    }
    made = await tx.execute(insert(tx, erasures).values(row).returning(erasures))
    await outbox.tell_connection(tx, tenant, connection, Kind.CONNECTION_DISCONNECTED)
    return _erasure(made.one())


async def _take_away(tx: Tx, tenant: TenantId, connection: ConnectionId, *, actor: str) -> None:
    """From now on it is there for nobody, and nothing comes to it any more."""
    bare = {
        "leaving_at": now(),
        "owner": "",
        "title": "",
        "config": {},
        "account": None,
        "profile": None,
        "fingerprint": f"erased {connection.hex}",
    }
    mine = and_(connections.c.tenant_id == tenant, connections.c.id == connection)
    await tx.execute(update(connections).where(mine).values(bare))
    await credentials.forget(tx, tenant, connection, actor=actor)
    await schedules.remove(tx, tenant, connection)
    await hints.remove(tx, tenant, connection)
    await watches.remove(tx, tenant, connection)


async def find(tx: Tx, tenant: TenantId, connection: ConnectionId) -> Erasure | None:
    """The connection's, if it is being erased or was."""
    mine = erasures.c.connection_id == connection, erasures.c.tenant_id == tenant
    row = (await tx.execute(select(erasures).where(*mine))).one_or_none()
    return None if row is None else _erasure(row)


async def get(tx: Tx, tenant: TenantId, erasure_id: UUID) -> Erasure | None:
    """Also as its receipt, when it is over."""
    mine = erasures.c.tenant_id == tenant, erasures.c.id == erasure_id
    row = (await tx.execute(select(erasures).where(*mine))).one_or_none()
    return None if row is None else _erasure(row)


async def unfinished(tx: Tx) -> list[Erasure]:
    """Of all tenants, the oldest first. For workers."""
    query = select(erasures).where(erasures.c.finished_at.is_(None))
    return [_erasure(row) for row in await tx.execute(query.order_by(erasures.c.id).limit(20))]


async def erase_some(tx: Tx, erasure: Erasure) -> bool:
    """Delete some of its rows. False when there are none left, and the next step is its turn."""
    query = select(erasures).where(erasures.c.id == erasure.id, erasures.c.step == Step.DATA)
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        return False
    it = _erasure(row)
    counts, traces = dict(it.counts), list(row.runs)
    for what in (_runs, _artifacts, _made):
        gone, stopped = await what(tx, it)
        traces += stopped
        if gone:
            counts = {name: counts.get(name, 0) + gone.get(name, 0) for name in {**counts, **gone}}
            break
    more = bool(gone)
    values = {"counts": counts, "runs": traces, "step": Step.DATA if more else Step.STREAMS}
    await tx.execute(update(erasures).where(erasures.c.id == it.id).values(values))
    return more


async def advance(tx: Tx, erasure: Erasure) -> None:
    """The step is done. The last one ends it, and forgets even which runs there were."""
    following = AFTER[erasure.step]
    values: dict[str, Any] = {"step": following}
    if following is Step.DONE:
        values |= {"finished_at": now(), "runs": []}
    same = and_(erasures.c.id == erasure.id, erasures.c.step == erasure.step)
    moved = await tx.execute(update(erasures).where(same).values(values))
    if moved.rowcount and following is Step.DONE:
        it, counts = erasure.connection, dict(erasure.counts)
        await outbox.tell_connection(tx, erasure.tenant, it, Kind.CONNECTION_ERASED, counts=counts)


async def scrub(database: Database) -> None:
    """Take out of the database's files what deleted rows left there.

    SQLite overwrites what it deletes; its full-text index is merged, and its log written back.
    PostgreSQL does it when it vacuums (``docs/accounts.md``). Raises ``DatabaseUnavailable`` while
    somebody reads what was before: their log cannot be emptied under them.
    """
    if database.dialect != "sqlite":
        return
    async with database.transaction() as tx:
        await tx.execute(text("INSERT INTO chunks_fts(chunks_fts) VALUES ('optimize')"))
    async with database.writer.connect() as connection:
        await connection.exec_driver_sql("COMMIT")  # a checkpoint is made outside of transactions
        # While it waits for readers, nobody can write: not for long, then.
        await connection.exec_driver_sql(f"PRAGMA busy_timeout={READERS_MS}")
        told = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        busy, *_ = told.one()
        await connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        await connection.exec_driver_sql("BEGIN")
    if busy:
        raise DatabaseUnavailable(
            "The database's log cannot be emptied while it is read.",
            action="Nothing to do: it is tried again.",
        )


Gone = tuple[Mapping[str, int], list[list[Any]]]


async def _runs(tx: Tx, it: Erasure) -> Gone:
    of_it = runs.c.connection_id == it.connection
    some = list(await tx.scalars(select(runs.c.id).where(of_it).limit(RUNS_AT_ONCE)))
    stopped = await _delete_runs(tx, runs.c.id.in_(some))
    return ({"runs": len(stopped)} if stopped else {}), stopped


async def _artifacts(tx: Tx, it: Erasure) -> Gone:
    of_it = artifacts.c.connection_id == it.connection
    some = list(await tx.scalars(select(artifacts.c.id).where(of_it).limit(AT_ONCE)))
    gone = await tx.execute(delete(artifacts).where(artifacts.c.id.in_(some)))
    return ({"artifacts": gone.rowcount} if gone.rowcount else {}), []


async def _made(tx: Tx, it: Erasure) -> Gone:
    """What was made of them, what was answered about them, and at last the connection itself."""
    # What an earlier release made is nobody's: it may be of this one.
    theirs = or_(ledger.c.connection_id == it.connection, ledger.c.connection_id.is_(None))
    made = await tx.execute(delete(ledger).where(ledger.c.tenant_id == it.tenant, theirs))
    swept = await blobs.sweep(tx, it.tenant, limit=AT_ONCE)
    gone = {"ledger": made.rowcount, "blobs": swept}
    if any(gone.values()):
        return gone, []
    told = await tx.execute(delete(requests).where(_tells_of(it)))
    led_here = connect_sessions.c.connection_id == it.connection
    await tx.execute(delete(connect_sessions).where(led_here))  # with the consents in them
    await replaying.erase(tx, it.tenant, it.connection)
    last = await tx.execute(delete(connections).where(connections.c.id == it.connection))
    gone = {"connections": last.rowcount, "answers": told.rowcount}
    return (gone if last.rowcount else {}), []


def _tells_of(it: Erasure) -> ColumnElement[bool]:
    """Answers that were kept for a repeated request, and name the connection or a run of it."""
    named = [str(it.connection), *(str(run) for run, _ in it.runs)]
    body, route = cast(requests.c.body, Text), requests.c.route
    said = [or_(body.contains(each), route.contains(each)) for each in named[:AT_ONCE]]
    return and_(requests.c.tenant_id == it.tenant, or_(*said))


async def _delete_runs(tx: Tx, which: ColumnElement[bool]) -> list[list[Any]]:
    gone = await tx.execute(delete(runs).where(which).returning(runs.c.id, runs.c.attempt))
    return [[str(row.id), row.attempt] for row in gone]


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id,
        tenant=TenantId(row.tenant_id),
        connection=ConnectionId(row.connection_id),
        step=Step(row.step),
        revoked=row.revoked,
        counts=row.counts,
        runs=[(RunId(UUID(run)), Attempt(attempt)) for run, attempt in row.runs],
        requested_at=row.requested_at,
        finished_at=row.finished_at,
        owner_digest=row.owner_digest,
    )


def _digest(erasure_id: UUID, owner: str) -> str:
    """Salted by the erasure, so that two of one owner cannot be told to be."""
    return hashlib.sha256(erasure_id.bytes + owner.encode()).hexdigest()
