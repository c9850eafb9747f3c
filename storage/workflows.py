"""The catalogue of workflows: what the workers can do, as they say it when they start.

The api serves from it, so a new workflow needs a new worker and no new api.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.tables import workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """``input_schema`` and ``output_schema`` are JSON Schemas, draft 2020-12."""

    name: str
    version: int
    title: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]


async def publish(tx: Tx, catalogue: Iterable[Published]) -> None:
    """Say what can be done. Versions that others have published stay: they may still run."""
    rows = [
        {
            "name": each.name,
            "version": each.version,
            "title": each.title,
            "description": each.description,
            "input_schema": dict(each.input_schema),
            "output_schema": dict(each.output_schema),
            "published_at": now(),
        }
        for each in catalogue
    ]
    for row in rows:
        changed = {name: row[name] for name in row if name not in {"name", "version"}}
        await tx.execute(
            insert(tx, workflows)
            .values(row)
            .on_conflict_do_update(index_elements=["name", "version"], set_=changed)
        )


async def latest(tx: Tx) -> list[Published]:
    """The newest version of each, by name."""
    newest: dict[str, Published] = {}
    query = select(workflows).order_by(workflows.c.name, workflows.c.version)
    for row in await tx.execute(query):
        newest[row.name] = _published(row)
    return list(newest.values())


async def get(tx: Tx, name: str) -> Published | None:
    """The newest version of this one."""
    query = (
        select(workflows)
        .where(workflows.c.name == name)
        .order_by(workflows.c.version.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _published(row)


def _published(row: Row[Any]) -> Published:
    return Published(
        name=row.name,
        version=row.version,
        title=row.title,
        description=row.description,
        input_schema=row.input_schema,
        output_schema=row.output_schema,
    )
