"""Which runs an owner's page shows: what happens, and what came of it last."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from storage.bulk import batches
from storage.database import Tx
from storage.ids import ConnectionId, RunId, TenantId
from storage.tables import connections, runs

INGEST = "ingest"
MOST = 50
"""The newest. A cursor names each of them, and has to fit into a header."""


@dataclass(frozen=True, slots=True)
class Card:
    run: RunId
    connection: ConnectionId


async def of_owners(
    tx: Tx, tenant: TenantId, owners: Collection[str]
) -> Mapping[str, Sequence[Card]]:
    """The latest ingestion of each of an owner's connections, and whatever else is unfinished.

    The newest first, by owner.
    """
    found: dict[str, dict[RunId, ConnectionId]] = {owner: {} for owner in owners}
    for batch in batches(owners):
        for query in _queries(tenant, batch):
            for row in await tx.execute(query):
                found[row.owner][RunId(row.run)] = ConnectionId(row.connection)
    return {owner: _cards(theirs) for owner, theirs in found.items()}


def _cards(found: Mapping[RunId, ConnectionId]) -> Sequence[Card]:
    cards = [Card(run, connection) for run, connection in found.items()]
    return sorted(cards, key=lambda card: card.run, reverse=True)[:MOST]


def _queries(tenant: TenantId, owners: Collection[str]) -> Sequence[Select[Any]]:
    whose = select(
        connections.c.owner, connections.c.id.label("connection"), runs.c.id.label("run")
    ).where(
        connections.c.tenant_id == tenant,
        connections.c.owner.in_(owners),
        runs.c.connection_id == connections.c.id,
    )
    of_it = runs.alias("of_it")
    last = (
        select(of_it.c.id)
        .where(of_it.c.connection_id == connections.c.id, of_it.c.workflow == INGEST)
        .order_by(of_it.c.id.desc())
        .limit(1)
        .correlate(connections)
        .scalar_subquery()
    )
    return whose.where(runs.c.id == last), whose.where(runs.c.finished_at.is_(None))
