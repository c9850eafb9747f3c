"""Which files are restored: whole ones, of this version and of older ones."""

import json
import tarfile
from pathlib import Path

import pytest

from storage import backup, connections, schema
from storage.backup import archive
from storage.backup.manifest import KeptTable, Kind
from storage.connections import Connection
from storage.database import Database, open_database
from storage.errors import BackupUnusable, SchemaOutdated
from tests.population import everything, populate


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "headwater.tar"


async def restore(url: str, file: Path) -> None:
    await backup.restore(url, file, keyring=None)


async def take(database: Database, file: Path) -> None:
    await backup.take(database, file, version="0.1.0")


async def test_a_damaged_file_is_refused_before_anything_is_written(
    database: Database, file: Path
) -> None:
    await populate(database, 2)
    await take(database, file)
    before, whole = await everything(database), content(file)
    with tarfile.open(file) as tar:
        middle = tar.getmembers()[3].offset_data
    for damage in (
        whole[: len(whole) // 2],
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        b"",
        b"no tar at all" * 100,
    ):
        put(file, damage)
        with pytest.raises(BackupUnusable):
            await restore(database.url, file)

    assert await everything(database) == before


def content(file: Path) -> bytes:
    return file.read_bytes()


def put(file: Path, said: bytes) -> None:
    file.write_bytes(said)


async def test_what_a_newer_version_made_is_refused(database: Database, file: Path) -> None:
    await take(database, file)
    newer = repacked(file, b'"revision": "9999"')

    with pytest.raises(SchemaOutdated, match="9999"):
        await restore(database.url, newer)


def repacked(file: Path, revision: bytes) -> Path:
    """The same, said to be of another schema."""
    old = f'"revision": "{schema.head()}"'.encode()
    assert len(old) == len(revision)
    other = file.with_name("repacked.tar")
    other.write_bytes(file.read_bytes().replace(old, revision))
    return other


async def test_what_an_older_version_made_is_upgraded(
    database: Database, connection: Connection, file: Path
) -> None:
    """As the first release would have written it, that knew less of a connection."""
    write_first(file, connection)

    await database.close()
    await restore(database.url, file)

    async with open_database(database.url) as again:
        await schema.check(again)
        async with again.reading() as tx:
            found = await connections.get(tx, connection.tenant, connection.id)
    assert found is not None
    assert found.owner == "ada"


def write_first(file: Path, connection: Connection) -> None:
    moment = connection.created_at.isoformat()
    tenant = connection.tenant.hex
    owned = [connection.id.hex, tenant, "ada", "local", "Notes", "{}", "f" * 64, moment]
    named = {"id": Kind.UUID, "name": Kind.PLAIN, "created_at": Kind.MOMENT}
    plain = dict.fromkeys(("owner", "kind", "title"), Kind.PLAIN)
    with archive.writing(file) as writer:
        tables = [
            one_row(writer, "tenants", named, [tenant, "local", moment]),
            one_row(
                writer,
                "connections",
                {
                    "id": Kind.UUID,
                    "tenant_id": Kind.UUID,
                    **plain,
                    "config": Kind.JSON,
                    "fingerprint": Kind.PLAIN,
                    "created_at": Kind.MOMENT,
                },
                owned,
            ),
        ]
        manifest = backup.Manifest(
            headwater="0.0.1",
            revision="0001",
            dialect="sqlite",
            taken_at=connection.created_at,
            key_ids=[],
            sequences={},
            tables=tables,
        )
        writer.finish(manifest)


def one_row(
    writer: archive.Writer, name: str, columns: dict[str, Kind], row: list[str]
) -> KeptTable:
    lines = json.dumps(row).encode() + b"\n"
    part = writer.add(f"{name}/000001.jsonl.zst", lines, rows=1)
    return KeptTable(name=name, columns=columns, parts=[part])
