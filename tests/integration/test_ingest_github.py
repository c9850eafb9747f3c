"""A GitHub repository becomes searchable, and later runs cost next to nothing."""

from collections.abc import AsyncGenerator

import pytest

from pipelines.settings import PipelineSettings
from storage import artifacts
from storage.database import Database
from storage.events import RunStatus
from tests import hub
from tests.ingesting import House, open_house
from tests.loopback import listening


@pytest.fixture
async def house(database: Database) -> AsyncGenerator[House]:
    # Nothing private may be reached by default; an operator who tries the fake allows loopback.
    settings = PipelineSettings(name="tester", egress_networks=hub.LOOPBACK.networks)
    async with open_house(database, settings=settings) as house:
        yield house


async def test_repository_becomes_searchable_and_its_second_run_reads_nothing(house: House) -> None:
    fake = hub.fake()
    repo = hub.small(fake)
    async with listening(fake.app) as origin:
        config = {"repositories": [hub.NAME], "base_url": origin}
        connection = await house.connect("github", config)

        first = await house.ingest(connection)
        fake.world.asked.clear()
        second = await house.ingest(connection)
        unchanged = list(fake.world.asked)
        fake.world.push(repo, {"src/new.py": b"new = 1\n"}, remove=["src/two.py"])
        third = await house.ingest(connection)

    assert first.status is RunStatus.SUCCEEDED
    assert first.counts.adds_up
    assert first.counts.found == 7 + 5 + 5
    assert (second.status, second.counts.found) == (RunStatus.SUCCEEDED, 0)
    assert len(unchanged) <= 5
    assert all(asked.conditional and asked.status == 304 for asked in unchanged)
    assert third.counts.adds_up
    assert (third.counts.processed, third.counts.deleted) == (1, 1)
    async with house.services.database.reading() as tx:
        assert await artifacts.searchable(tx, connection.id) == first.counts.processed
