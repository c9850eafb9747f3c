"""The catalogue of workflows: published by workers, read by the api."""

from dataclasses import replace

from storage import workflows
from storage.database import Database
from storage.workflows import Published

BRIEF = Published(
    name="brief",
    version=1,
    title="A brief",
    description="Says what is there.",
    input_schema={"type": "object"},
    output_schema={"type": "object"},
)
BETTER = replace(BRIEF, version=2, title="A better brief")


async def test_what_was_published_is_read_back(database: Database) -> None:
    async with database.transaction() as tx:
        await workflows.publish(tx, [BRIEF])

    async with database.reading() as tx:
        assert await workflows.get(tx, "brief") == BRIEF
        assert await workflows.get(tx, "nothing") is None


async def test_the_newest_version_counts_whoever_publishes_last(database: Database) -> None:
    async with database.transaction() as tx:
        await workflows.publish(tx, [BETTER])
        await workflows.publish(tx, [BRIEF])

    async with database.reading() as tx:
        assert await workflows.get(tx, "brief") == BETTER
        assert await workflows.latest(tx) == [BETTER]


async def test_publishing_again_brings_it_up_to_date(database: Database) -> None:
    reworded = replace(BRIEF, description="Says what is there, with sources.")
    async with database.transaction() as tx:
        await workflows.publish(tx, [BRIEF])
        await workflows.publish(tx, [reworded])

    async with database.reading() as tx:
        assert await workflows.latest(tx) == [reworded]
