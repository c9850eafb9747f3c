"""Whose chunks may be found, and which of them may be shown."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, true

from storage.ids import ConnectionId, TenantId
from storage.tables import artifacts, chunks

HIDDEN = "hidden"  # access was lost: kept, and shown to nobody


@dataclass(frozen=True, slots=True)
class Scope:
    """One tenant's chunks, or only those of some of its connections."""

    tenant: TenantId
    connections: frozenset[ConnectionId] | None = None

    def searched(self) -> ColumnElement[bool]:
        """A condition on ``chunks``."""
        wanted = self.connections
        some = true() if wanted is None else chunks.c.connection_id.in_(wanted)
        return and_(chunks.c.tenant_id == self.tenant, some)

    def visible(self) -> ColumnElement[bool]:
        """A condition on ``chunks`` joined with their ``artifacts``."""
        return and_(self.searched(), artifacts.c.status != HIDDEN)
