"""What a run asked of somebody, and what they answered: of the run, by a name of the workflow's.

A run that asks lets its worker go in the same transaction; an answer wakes it in the same one.
Whoever writes here locks the run first, as an attempt does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, select, update

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.errors import AnsweredAlready, NotAsked, RunEnded
from storage.ids import RunId, TenantId
from storage.runs.waits import wake
from storage.tables import questions, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``schema`` is the JSON Schema of the answer; ``answered_at`` is None while it is open."""

    name: str
    schema: Mapping[str, Any]
    answer: Any
    answered_at: datetime | None


async def get(tx: Tx, run_id: RunId, name: str) -> Question | None:
    query = select(questions).where(questions.c.run_id == run_id, questions.c.name == name)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _question(row)


async def ask(
    tx: Tx,
    tenant: TenantId,
    run_id: RunId,
    name: str,
    schema: Mapping[str, Any],
    *,
    refused: datetime | None = None,
) -> bool:
    """Open the question, with the run locked. False if there is an answer to look at instead.

    ``refused``: when the answer was given that the workflow could not take; it is forgotten.
    """
    there = await get(tx, run_id, name)
    if there is not None and there.answered_at not in {None, refused}:
        return False
    row = {"schema": dict(schema), "asked_at": now(), "answer": None, "answered_at": None}
    made = insert(tx, questions).values(tenant_id=tenant, run_id=run_id, name=name, **row)
    await tx.execute(made.on_conflict_do_update(index_elements=["run_id", "name"], set_=row))
    return True


async def reply(tx: Tx, tenant: TenantId, run_id: RunId, name: str, answer: Any) -> bool | None:
    """Answer it and wake the run. None if there is no such run, False if it was said before.

    Raises ``RunEnded``, ``NotAsked``, and ``AnsweredAlready`` if something else was answered.
    """
    mine = and_(runs.c.tenant_id == tenant, runs.c.id == run_id)
    run = (await tx.execute(select(runs).where(mine).with_for_update())).one_or_none()
    if run is None:
        return None
    if run.finished_at is not None:
        raise RunEnded(f"The run is over ({run.status}): there is nothing to answer.")
    question = await get(tx, run_id, name)
    if question is None:
        raise NotAsked(f"The run has not asked {name!r}.")
    if question.answered_at is not None:
        if question.answer == answer:
            return False
        raise AnsweredAlready(f"{name!r} was answered otherwise before.")
    here = and_(questions.c.run_id == run_id, questions.c.name == name)
    await tx.execute(update(questions).where(here).values(answer=answer, answered_at=now()))
    await wake(tx, run=run_id)
    return True


def _question(row: Row[Any]) -> Question:
    return Question(
        name=row.name, schema=row.schema, answer=row.answer, answered_at=row.answered_at
    )
