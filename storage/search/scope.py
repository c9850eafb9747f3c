"""Whose chunks may be found, and which of them may be shown."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, true

from storage.ids import ConnectionId, TenantId
from storage.tables import artifacts, chunks

HIDDEN = "hidden"  # access was lost: kept, and shown to nobody


@dataclass(frozen=True, slots=True)
class Scope:
    """One tenant's chunks, or those of one of its connections."""

    tenant: TenantId
    connection: ConnectionId | None = None

    def searched(self) -> ColumnElement[bool]:
        """A condition on ``chunks``."""
        one = true() if self.connection is None else chunks.c.connection_id == self.connection
        return and_(chunks.c.tenant_id == self.tenant, one)

    def visible(self) -> ColumnElement[bool]:
        """A condition on ``chunks`` joined with their ``artifacts``."""
        return and_(self.searched(), artifacts.c.status != HIDDEN)
