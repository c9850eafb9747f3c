"""What only a download tells is kept, and what lies in an artifact lives as long as it does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.artifact import Artifact, Ref, SkipReason, part_of
from connectors.connector import Content, Fetched
from connectors.events import Skipped
from connectors.memory import MemoryConnector, Notes, memory_spec
from storage import artifacts
from storage.artifacts import ArtifactRow
from storage.connections import Connection
from storage.database import Database
from storage.ids import LOCAL_TENANT
from tests.ingesting import House, open_house


class Enclosing(MemoryConnector):
    """Each note has a title of its own, and a file in it."""

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        got = await super().fetch(refs)
        return {ref: _enclosing(ref, each) for ref, each in got.items()}


def _enclosing(ref: Ref, got: Fetched) -> Fetched:
    if not isinstance(got, bytes):
        return got
    note = Artifact(ref=ref, version="", kind="note", title=got.decode(), meta={"told": "yes"})
    inner = Ref(ref.partition, part_of(ref.external_id, "file"))
    file = replace(note, ref=inner, version="1", kind="attachment", title="a file")
    return Content(got, note, (Content(b"What is in the file.", file),))


async def rows(house: House, connection: Connection) -> dict[str, ArtifactRow]:
    async with house.services.database.reading() as tx:
        found = await artifacts.page(
            tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=100
        )
    return {row.external_id: row for row in found}


async def test_what_a_download_told_and_brought_is_there_until_its_whole_is_gone(
    database: Database,
) -> None:
    source = Notes({"ant": b"About ants.", "bee": b"About bees."})
    async with open_house(database, memory_spec(source, Enclosing)) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        second = await house.ingest(connection)
        kept = await rows(house, connection)
        del source.notes["bee"]
        third = await house.ingest(connection)
        left = await rows(house, connection)

    assert kept.keys() == {"ant", "ant%#file", "bee", "bee%#file"}
    assert kept["ant"].meta == {"told": "yes"}
    assert kept["ant"].version not in {"", None}
    assert left.keys() == {"ant", "ant%#file"}
    assert (first.counts.processed, second.counts.processed) == (4, 0)
    assert third.counts.deleted == 2
    assert all(run.counts.adds_up for run in (first, second, third))


class Locking(MemoryConnector):
    """In each note lies a file that nobody has the key of."""

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        got = await super().fetch(refs)
        return {ref: _locking(ref, each) for ref, each in got.items()}


def _locking(ref: Ref, got: Fetched) -> Fetched:
    if not isinstance(got, bytes):
        return got
    inner = Ref(ref.partition, part_of(ref.external_id, "file"))
    locked = Skipped(inner, SkipReason.ENCRYPTED, "it asks for a password", "a file")
    return Content(got, Artifact(ref=ref, version="", kind="note", title="a note"), (locked,))


async def test_what_cannot_be_read_in_an_artifact_is_skipped_with_its_reason(
    database: Database,
) -> None:
    source = Notes({"ant": b"About ants."})
    async with open_house(database, memory_spec(source, Locking)) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        second = await house.ingest(connection)
        kept = await rows(house, connection)

    assert first.counts.skipped == {"encrypted": 1}
    assert (first.counts.processed, second.counts.unchanged) == (1, 1)
    assert kept["ant%#file"].detail == "it asks for a password"
    assert first.counts.adds_up
    assert second.counts.adds_up
