"""Runs over Google Drive: what was read, what is gone, and what may come back."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from connectors.access import Access, CredentialKind
from connectors.connector import Connector
from connectors.drive.config import DriveConfig
from connectors.drive.crawl import open_drive
from connectors.drive.fake.world import World
from connectors.drive.quota import Call
from storage import artifacts
from storage.artifacts import ArtifactStatus
from storage.database import Database
from storage.ids import LOCAL_TENANT
from tests import papers
from tests.google import Grants, drive, drive_spec
from tests.ingesting import open_house


async def test_runs_follow_what_happens_in_a_drive(database: Database) -> None:
    world = World()
    terms = world.add("terms.pdf", papers.pdf(), mime="application/pdf")
    trashed, renamed = world.add("a.txt", b"One thing."), world.add("b.txt", b"Another thing.")
    unshared = world.add("c.txt", b"A third thing.", parent="")
    world.add("photo.png", b"\x89PNG", mime="image/png")

    with drive(world) as origin:

        def opening(config: DriveConfig, access: Access) -> AbstractAsyncContextManager[Connector]:
            return open_drive(config, Grants("token"), origin=origin)

        nobody = frozenset({CredentialKind.NONE})
        spec = replace(drive_spec(origin, page=50), credentials=nobody, consent=None, open=opening)
        async with open_house(database, spec) as house:
            connection = await house.connect("drive", {})
            first = await house.ingest(connection)
            downloads = world.calls.count(Call.DOWNLOAD)
            second = await house.ingest(connection)
            world.trash(trashed)
            world.rename(renamed, "A new name")
            world.lose(unshared)
            third = await house.ingest(connection)
            async with house.services.database.reading() as tx:
                found = [
                    row
                    for status in (None, ArtifactStatus.HIDDEN)
                    for row in await artifacts.page(
                        tx,
                        LOCAL_TENANT,
                        connection.id,
                        run=None,
                        status=status,
                        after=None,
                        limit=100,
                    )
                ]

    rows = {row.external_id.rpartition(":")[2]: row for row in found}
    assert (first.counts.processed, first.counts.skipped) == (4, {"binary": 1})
    assert downloads == 4
    assert (second.counts.found, second.counts.bytes) == (0, 0)
    assert (third.counts.deleted, third.counts.skipped) == (1, {"access_lost": 1})
    assert rows[trashed].reason == artifacts.GONE
    assert rows[unshared].status is ArtifactStatus.HIDDEN
    assert rows[renamed].title == "A new name"
    assert rows[terms].status is ArtifactStatus.READY
    assert all(run.counts.adds_up for run in (first, second, third))
