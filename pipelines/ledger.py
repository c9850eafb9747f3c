"""What is already done, as one batch of an ingestion sees it; components have ``records``.

A batch looks all its keys up with one query, works, and keeps what is new in memory; ``pending``
is then written in the transaction that commits the batch's output. So a result is in the ledger if
and only if what was made of it is there too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from storage import ledger
from storage.database import Database
from storage.ids import TenantId


@dataclass(frozen=True, slots=True)
class Entry:
    component: str
    value: Any


class Ledger(Protocol):
    def get(self, key: str) -> Entry | None: ...

    def put(self, key: str, entry: Entry) -> None: ...


@dataclass(slots=True)
class MemoryLedger:
    """A ledger as long as its process."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def get(self, key: str) -> Entry | None:
        return self.entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        self.entries[key] = entry


@dataclass(slots=True)
class BatchLedger:
    """The SQL ledger, as far as one batch needs it."""

    known: Mapping[str, Any]
    pending: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def get(self, key: str) -> Entry | None:
        if key in self.known:
            return Entry("", self.known[key])
        return self.pending.get(key)

    def put(self, key: str, entry: Entry) -> None:
        self.pending[key] = entry

    def rows(self) -> Mapping[str, tuple[str, Any]]:
        return {key: (entry.component, entry.value) for key, entry in self.pending.items()}


async def open_batch(database: Database, tenant: TenantId, keys: Collection[str]) -> BatchLedger:
    """Look up what is known of these keys."""
    if not keys:
        return BatchLedger({})
    async with database.reading() as tx:
        return BatchLedger(await ledger.get(tx, tenant, keys))
