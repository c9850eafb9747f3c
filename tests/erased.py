"""Connections that are erased, and what is left of them."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import select

from storage import erasing
from storage.connections import Connection
from storage.database import Database
from storage.erasing import Erasure
from storage.ids import LOCAL_TENANT, Attempt, RunId
from storage.tables import audit, erasures, metadata, usage

CANARY = "canary7f3a"
STAY = {audit.name, erasures.name, usage.name}


@dataclass
class Remembers:
    """What an orchestrator has of runs."""

    runs: set[RunId] = field(default_factory=set[RunId])

    async def forget(self, runs: Collection[tuple[RunId, Attempt]]) -> None:
        self.runs -= {run for run, _ in runs}


def many(number: int, says: str = CANARY) -> list[str]:
    return [f"{says}{each:04}" for each in range(number)]


async def request(database: Database, connection: Connection) -> Erasure:
    async with database.transaction() as tx:
        it = await erasing.request(tx, LOCAL_TENANT, connection.id, revoked=True, actor="test")
    assert it is not None
    return it


async def receipt(database: Database, it: Erasure) -> Erasure:
    async with database.reading() as tx:
        now = await erasing.get(tx, LOCAL_TENANT, it.id)
    assert now is not None
    return now


async def rows(database: Database) -> dict[str, str]:
    """Every table but those that are to stay, as text."""
    async with database.reading() as tx:
        return {
            table.name: str((await tx.execute(select(table))).all())
            for table in metadata.sorted_tables
            if table.name not in STAY
        }
