"""The receipt of a run, from what the database holds."""

from datetime import timedelta

import pytest

from storage import artifacts, failures, receipts, runs
from storage.artifacts import NewArtifact, Ready
from storage.clock import now
from storage.connections import Connection
from storage.counts import Counts
from storage.database import Database
from storage.events import Event, EventKind, RunStatus
from storage.failures import Failure
from storage.ids import Attempt, RunId, Seq, TenantId
from storage.receipts import Index, Receipt
from storage.runs import Run

COUNTS = Counts(found=3, processed=1, skipped={"binary": 1}, failed={"forbidden": 1})
READER = {"producer": "extractive/1", "model": None, "note": "No model read this."}
FAILED = Failure(
    partition="files",
    external_id="file:b",
    title="b",
    stage="fetch",
    failure="forbidden",
    detail="It may not be read.",
    action="Allow it.",
)


@pytest.fixture
async def run(database: Database, connection: Connection) -> Run:
    async with database.transaction() as tx:
        await runs.request(
            tx, connection.tenant, connection=connection, workflow="ingest", input={}
        )
        (run,) = await runs.claim(tx, worker="one", lease=timedelta(minutes=1), limit=1)
    return run


async def record(database: Database, run: Run, kind: EventKind, **patch: object) -> None:
    event = Event(kind=kind, at=now(), attempt=Attempt(1), patch=patch)
    async with database.transaction() as tx:
        await runs.record(tx, run.id, event)


async def of(database: Database, tenant: TenantId, run: RunId) -> Receipt | None:
    async with database.reading() as tx:
        return await receipts.receipt(tx, tenant, run)


def new(name: str) -> NewArtifact:
    return NewArtifact(
        partition="files",
        external_id=f"file:{name}",
        kind="file",
        title=name,
        path=name,
        url=None,
        mime=None,
        size=1,
        version="v",
        digest="a" * 64,
        priority=0,
        meta={},
        created_at=None,
        updated_at=None,
    )


async def ingest(database: Database, connection: Connection, run: Run) -> None:
    """One artifact made searchable, and one that failed."""
    scope = (connection.tenant, connection.id, run.id)
    async with database.transaction() as tx:
        await artifacts.stage(tx, *scope, [new("a")])
        (staged,) = await artifacts.queue(tx, connection.id, limit=1)
        done = Ready(id=staged.id, digest="a" * 64, ready_key="k", title="a", reading={})
        await artifacts.ready(tx, run.id, [done])
        await failures.record(tx, *scope, [FAILED])
        await runs.save(tx, run.id, Attempt(1), counts=COUNTS, seq=Seq(5))


async def test_a_receipt_tells_what_a_run_came_to(
    database: Database, connection: Connection, run: Run
) -> None:
    await record(database, run, EventKind.STARTED, reader=READER)
    await ingest(database, connection, run)
    await record(database, run, EventKind.SUCCEEDED_WITH_FAILURES)

    receipt = await of(database, run.tenant, run.id)

    assert receipt is not None
    assert receipt.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert (receipt.counts, receipt.adds_up) == (COUNTS, True)
    assert receipt.index == Index(artifacts=1, chunks=0)
    assert receipt.failures == [FAILED]
    assert receipt.reader == READER
    assert receipt.run.finished_at is not None
    assert receipt.run.started_at is not None
    took = receipt.run.finished_at - receipt.run.started_at
    assert receipt.seconds == took.total_seconds()


async def test_what_no_model_could_read_is_named_with_what_to_do(
    database: Database, connection: Connection, run: Run
) -> None:
    fault = {"code": "refused", "message": "It will not.", "action": "Nothing to do."}
    faults = {"b": {"unread": fault}, "c": {"unembedded": {**fault, "code": "vectors_invalid"}}}
    scope = (connection.tenant, connection.id, run.id)
    async with database.transaction() as tx:
        await artifacts.stage(tx, *scope, [new(name) for name in "abc"])
        staged = await artifacts.queue(tx, connection.id, limit=3)
        done = [
            Ready(
                id=each.id,
                digest=each.digest,
                ready_key="k",
                title=each.title,
                reading=faults.get(each.title, {}),
            )
            for each in staged
        ]
        await artifacts.ready(tx, run.id, done)
        counts = Counts(found=3, processed=3, unread={"refused": 1, "vectors_invalid": 1})
        await runs.save(tx, run.id, Attempt(1), counts=counts, seq=Seq(5))

    receipt = await of(database, connection.tenant, run.id)

    assert receipt is not None
    assert [(each.title, each.failure, each.action) for each in receipt.unread] == [
        ("b", "refused", "Nothing to do."),
        ("c", "vectors_invalid", "Nothing to do."),
    ]


async def test_a_run_that_waits_has_a_receipt_of_nothing_yet(database: Database, run: Run) -> None:
    receipt = await of(database, run.tenant, run.id)

    assert receipt is not None
    assert (receipt.status, receipt.seconds, receipt.reader) == (RunStatus.QUEUED, None, None)
    assert receipt.index == Index(artifacts=0, chunks=0)


async def test_another_tenant_gets_no_receipt(
    database: Database, other_tenant: TenantId, run: Run
) -> None:
    assert await of(database, other_tenant, run.id) is None
