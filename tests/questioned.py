"""Runs that wait for somebody's answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from storage import questions, runs
from storage.database import Database
from storage.events import Event, EventKind, EventLog
from storage.ids import LOCAL_TENANT, RunId
from storage.relay import Relay


async def asks(
    database: Database, log: EventLog, schema: Mapping[str, Any], *, about: Any = None
) -> RunId:
    """A run that asks ``publish``, and waits."""
    async with database.transaction() as tx:
        await runs.ask(tx, LOCAL_TENANT, workflow="write", title="Write", input={})
        [run] = await runs.claim(tx, worker="w", lease=timedelta(minutes=1), limit=1)
        await questions.ask(tx, LOCAL_TENANT, run.id, "publish", schema)
        await runs.park(tx, run.id, run.attempt, until=None)
        question = {"name": "publish", "answer_schema": dict(schema), "about": about}
        reason = {"code": "input", "message": "Publish?", "action": "Answer.", "until": None}
        waiting = Event(
            kind=EventKind.WAITING,
            at=datetime.now(UTC),
            attempt=run.attempt,
            patch={"reason": {**reason, "question": question}},
        )
        await runs.record(tx, run.id, waiting)
    await Relay(database, log).publish(run.id)
    return run.id
