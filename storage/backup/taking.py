"""Taking a backup: every table as of one instant, a few rows at a time, while all goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, Table, literal_column, select, text, union

from storage import schema
from storage.backup import archive, rows
from storage.backup.archive import Writer
from storage.backup.manifest import KeptTable, Kind, Manifest, Part
from storage.clock import shared_now
from storage.database import Database, Tx
from storage.tables import blobs, consents, credentials, metadata

ROWS = 200
BLOBS = 4
"""How many rows are in memory: a blob may be a large file."""

PART_BYTES = 4 * 2**20


async def take(database: Database, file: Path, *, version: str) -> Manifest:
    """Write it. Nothing has to stop for it, and nobody waits for it."""
    await schema.check(database)
    with archive.writing(file) as writer:
        async with database.reading() as tx:
            await unbound(tx)
            tables = [await _table(tx, writer, each) for each in metadata.sorted_tables]
            manifest = Manifest(
                headwater=version,
                revision=schema.head(),
                dialect=database.dialect,
                taken_at=await shared_now(tx),
                key_ids=await _key_ids(tx),
                sequences=await _sequences(tx),
                tables=tables,
            )
        await asyncio.to_thread(writer.finish, manifest)
    return manifest


async def unbound(tx: Tx) -> None:
    """Let the transaction take its time: it holds up nobody, or nobody else is there."""
    if tx.dialect.name == "sqlite":
        return
    await tx.execute(schema.UNBOUND)
    idle = "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"
    await tx.execute(text(idle))


async def _table(tx: Tx, writer: Writer, table: Table) -> KeptTable:
    pile = _Pile(writer, table)
    at_once = BLOBS if table is blobs else ROWS
    found = await tx.stream(rows.reading(table).execution_options(yield_per=at_once))
    async for some in found.partitions():
        pile.put(some)
        if len(pile.lines) >= PART_BYTES:
            await asyncio.to_thread(pile.close)
    await asyncio.to_thread(pile.close)
    return KeptTable(name=table.name, columns=pile.kinds, parts=pile.parts)


@dataclass(slots=True)
class _Pile:
    """The rows of a table that are on their way into its next part."""

    writer: Writer
    table: Table
    kinds: dict[str, Kind] = field(init=False)
    lines: bytearray = field(init=False, default_factory=bytearray)
    count: int = field(init=False, default=0)
    parts: list[Part] = field(init=False, default_factory=list[Part])

    def __post_init__(self) -> None:
        self.kinds = rows.kinds(self.table)

    def put(self, some: Sequence[Row[Any]]) -> None:
        of = list(self.kinds.values())
        for row in some:
            self.lines += rows.encode(of, row)
        self.count += len(some)

    def close(self) -> None:
        if not self.count:
            return
        name = f"{self.table.name}/{len(self.parts) + 1:06}.jsonl.zst"
        self.parts.append(self.writer.add(name, bytes(self.lines), rows=self.count))
        self.lines.clear()
        self.count = 0


async def _key_ids(tx: Tx) -> list[str]:
    sealed: list[Select[Any]] = [select(credentials.c.key_id), select(consents.c.key_id)]
    return sorted((await tx.scalars(union(*sealed))).all())


async def _sequences(tx: Tx) -> dict[str, int]:
    """The last id that each table gave, also to rows that are gone."""
    if tx.dialect.name == "sqlite":
        given = await tx.execute(text("SELECT name, seq FROM sqlite_sequence"))
        return {row.name: row.seq for row in given if row.name in metadata.tables}
    return {table.name: await _last(tx, table) for table in numbered()}


def numbered() -> list[Table]:
    """The tables whose rows the database itself numbers."""
    return [each for each in metadata.sorted_tables if each.autoincrement_column is not None]


async def _last(tx: Tx, table: Table) -> int:
    name = await tx.scalar(
        text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table.name}
    )
    last: Select[Any] = select(literal_column("last_value - (NOT is_called)::int")).select_from(
        text(str(name))
    )
    return int(await tx.scalar(last) or 0)
