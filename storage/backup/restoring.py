"""Restoring a backup: all of it, or nothing.

PostgreSQL takes it in one transaction. For SQLite it becomes a file beside the database, which
takes the database's place in the end. Whoever dies in between leaves what was there before.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Insert, inspect, literal, make_url, select, text
from sqlalchemy.exc import DBAPIError

from storage import crashpoints, schema
from storage.backup import archive, epoch, rows
from storage.backup.manifest import Manifest, Part
from storage.backup.seals import Unopened, unopened
from storage.backup.taking import numbered, unbound
from storage.bulk import batches
from storage.clock import shared_now
from storage.database import Database, Dialect, Tx, open_database
from storage.errors import BackupUnusable, DatabaseInUse, DatabaseUnavailable
from storage.schema import Patience
from storage.sealed import Keyring
from storage.tables import facts, metadata, tenants, workers, workflows

FURNITURE = {facts.name, tenants.name, workers.name, workflows.name}
"""What is in a database that nobody has used yet."""

ROWS = 500
LATELY = timedelta(seconds=15)
FUNCTIONS = ("audit_refuse()",)
BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    unopened: tuple[Unopened, ...]


async def holds_anything(url: str) -> bool:
    """Whether somebody would miss something if it were replaced."""
    file = _file(make_url(url))
    if file is not None and not await asyncio.to_thread(file.exists):
        return False
    async with open_database(url) as database, database.reading() as tx:
        used = await tx.run_sync(_tables) - FURNITURE
        rows_of = [each for each in metadata.sorted_tables if each.name in used]
        first = [await tx.scalar(select(literal(1)).select_from(each).limit(1)) for each in rows_of]
    return any(first)


async def restore(url: str, file: Path, *, keyring: Keyring | None) -> Restored:
    """Replace the database by what the backup has. Nobody may be at it meanwhile.

    Every byte is looked at before the first is written. What a newer version made is refused, and
    what an older one made is upgraded.
    """
    manifest = await asyncio.to_thread(archive.verify, file)
    schema.require_known(manifest.revision, f"The backup {file}")
    place = make_url(url)
    target = _file(place)
    if target is not None:
        return await _into_file(place, target, _Source(file, manifest, keyring))
    async with open_database(url) as database, database.transaction() as tx:
        above = await _clear(tx, database)
        return await _fill(tx, _Source(file, manifest, keyring), above=above)


@dataclass(frozen=True, slots=True)
class _Source:
    file: Path
    manifest: Manifest
    keyring: Keyring | None


async def _into_file(place: URL, target: Path, source: _Source) -> Restored:
    await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
    fresh = target.with_name(f"{target.name}.restoring")
    _discard(fresh)  # of one who died
    above = 0
    if await asyncio.to_thread(target.exists):
        async with _opened(place, target) as old, old.reading() as tx:
            above = await epoch.highest(tx)
    try:
        async with _opened(place, fresh) as database:
            async with database.transaction() as tx:
                restored = await _fill(tx, source, above=above)
            await _write_back(database)
        crashpoints.reached("restore.filled")
        if await asyncio.to_thread(target.exists):
            # Its log belongs to no other file: it must be empty before this one is somebody else.
            async with _opened(place, target) as old:
                await _write_back(old)
        fresh.replace(target)
    finally:
        _discard(fresh)
    return restored


def _opened(place: URL, file: Path) -> AbstractAsyncContextManager[Database]:
    return open_database(place.set(database=str(file)).render_as_string(hide_password=False))


async def _write_back(database: Database) -> None:
    """Bring what is in the log into the file, and leave nothing in the log."""
    async with database.writer.connect() as connection:
        await connection.exec_driver_sql("COMMIT")  # a checkpoint is made outside of transactions
        answer = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = answer.one()[0]
        await connection.exec_driver_sql("BEGIN")
    if busy:
        raise DatabaseInUse(f"Something works with the database at {database.place}.")


async def _clear(tx: Tx, database: Database) -> int:
    """Drop what is there, as only this transaction sees it. Answers how far its streams were."""
    await _refuse_worked_with(tx, database)
    above = await epoch.highest(tx)
    try:
        await schema.take_turn(tx, Patience(statement_ms=0))
        await unbound(tx)
        for name in (*metadata.tables, "alembic_version"):
            await tx.execute(text(f"DROP TABLE IF EXISTS {name} CASCADE"))
        for name in FUNCTIONS:
            await tx.execute(text(f"DROP FUNCTION IF EXISTS {name}"))
    except DatabaseUnavailable as error:
        raise DatabaseInUse(f"Something works with the database at {database.place}.") from error
    return above


async def _fill(tx: Tx, source: _Source, *, above: int) -> Restored:
    manifest = source.manifest
    await schema.build(tx, manifest.revision)
    with archive.reading(source.file) as reader:
        for table, part in ((each, part) for each in manifest.tables for part in each.parts):
            lines = await asyncio.to_thread(reader.lines, part)
            found = await asyncio.to_thread(rows.decode, table, lines)
            statement = rows.writing(table, _dialect(tx))
            for some in batches(found, ROWS):
                await _insert(tx, statement, some, of=part)
            crashpoints.reached("restore.part")
    await schema.build(tx)
    given = {table.name: manifest.sequences.get(table.name, 0) for table in numbered()}
    await epoch.begin(tx, given, moment=await shared_now(tx), above=above)
    return Restored(manifest, tuple(await unopened(tx, source.keyring)))


async def _insert(tx: Tx, statement: Insert, some: list[dict[str, Any]], *, of: Part) -> None:
    try:
        await tx.execute(statement, some)
    except DBAPIError as error:
        why = type(error.orig).__name__
        raise BackupUnusable(
            f"{of.name} of the backup does not fit this database: {why}."
        ) from error


async def _refuse_worked_with(tx: Tx, database: Database) -> None:
    if workers.name not in await tx.run_sync(_tables):
        return
    lately = workers.c.seen_at > await shared_now(tx) - LATELY
    name = await tx.scalar(select(workers.c.name).where(lately).limit(1))
    if name is not None:
        raise DatabaseInUse(f"The worker {name} works with the database at {database.place}.")


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _dialect(tx: Tx) -> Dialect:
    return "sqlite" if tx.dialect.name == "sqlite" else "postgresql"


def _file(place: URL) -> Path | None:
    """Of SQLite; else there is none."""
    if place.get_backend_name() != "sqlite" or not place.database:
        return None
    return Path(place.database)


def _discard(file: Path) -> None:
    for ending in ("", *BESIDE):
        file.with_name(file.name + ending).unlink(missing_ok=True)
