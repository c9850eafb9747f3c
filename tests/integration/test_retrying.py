"""Trying again what failed: that alone, by reference, with a receipt that adds up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.artifact import PartitionKey, Ref
from connectors.connector import Fetched
from connectors.errors import SourceRefused
from connectors.events import Cursor
from connectors.memory import NOTES, MemoryConnector, Notes
from pipelines.flows.steps import Plain
from storage import artifacts, partitions
from storage.connections import Connection
from storage.database import Database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT
from storage.runs import Run, wishes
from tests.ingesting import House, notes, open_house


@dataclass(slots=True)
class Door:
    """Which notes cannot be fetched, and what was asked for."""

    closed: set[str] = field(default_factory=set[str])
    fetched: list[str] = field(default_factory=list[str])
    listed: int = 0

    def connector(self, source: Notes) -> MemoryConnector:
        return Guarded(source, door=self)


@dataclass(slots=True)
class Guarded(MemoryConnector):
    door: Door = field(default_factory=Door)

    def read(self, partition: PartitionKey, cursor: Cursor | None) -> Any:
        self.door.listed += 1
        return MemoryConnector.read(self, partition, cursor)

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        self.door.fetched += [ref.external_id for ref in refs]
        found = await MemoryConnector.fetch(self, refs)
        refused = SourceRefused("The note is locked.")
        return {
            ref: refused if ref.external_id in self.door.closed else body
            for ref, body in found.items()
        }


async def retried(house: House, run: Run) -> Run:
    run_id = await house.retry(run)
    await house.attempt(await house.claim())
    return await house.run(run_id)


async def statuses(house: House, connection: Connection) -> dict[str, str]:
    async with house.services.database.reading() as tx:
        rows = await artifacts.page(
            tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=100
        )
    return {row.external_id: str(row.status) for row in rows}


async def place(house: House, connection: Connection) -> Any:
    async with house.services.database.reading() as tx:
        return (await partitions.load(tx, connection.id))[NOTES]


async def test_only_what_failed_is_fetched_again_and_nothing_else_is_looked_at(
    database: Database,
) -> None:
    door = Door({"bee", "dog"})
    source, spec = notes("ant", "bee", "cat", "dog", connector=door.connector)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        before, listed = await place(house, connection), door.listed
        source.notes["new"] = b"A new note."
        del source.notes["cat"]
        door.closed.clear()
        door.fetched.clear()

        run = await retried(house, first)

        assert first.counts.failed == {"forbidden": 2}
        assert run.status is RunStatus.SUCCEEDED
        assert (run.counts.found, run.counts.processed, run.counts.deleted) == (2, 2, 0)
        assert run.counts.adds_up
        assert sorted(door.fetched) == ["bee", "dog"]
        assert door.listed == listed
        assert await house.failures(connection) == []
        assert await statuses(house, connection) == dict.fromkeys(
            ("ant", "bee", "cat", "dog"), "ready"
        )
        assert await place(house, connection) == before


async def test_what_fails_again_stays_with_one_more_attempt(database: Database) -> None:
    door = Door({"bee", "dog"})
    _, spec = notes("ant", "bee", "cat", "dog", connector=door.connector)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        door.closed = {"dog"}

        run = await retried(house, first)

        assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES
        assert (run.counts.found, run.counts.processed) == (2, 1)
        assert run.counts.failed == {"forbidden": 1}
        assert run.counts.adds_up
        [left] = await house.failures(connection)
        assert (left.failure.external_id, left.attempts, left.run) == ("dog", 2, run.id)


async def test_the_run_after_a_retry_finds_everything_unchanged(database: Database) -> None:
    door = Door({"bee"})
    _, spec = notes("ant", "bee", "cat", connector=door.connector)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        door.closed.clear()
        await retried(house, first)

        after = await house.ingest(connection)

    assert (after.counts.found, after.counts.unchanged, after.counts.processed) == (3, 3, 0)


async def test_what_was_fetched_and_could_not_be_read_is_read_again_as_it_is_kept(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfeb\x00a\x00d\xd8")  # half a surrogate pair
    async with open_house(database) as house:
        connection = await house.connect("local", {"path": str(tmp_path), "include": ["*.txt"]})
        first = await house.ingest(connection)
        (tmp_path / "bad.txt").unlink()

        run = await retried(house, first)

        assert run.counts.failed == {"undecodable": 1}
        assert (run.counts.found, run.counts.bytes, run.counts.deleted) == (1, 0, 0)
        assert run.counts.adds_up
        [left] = await house.failures(connection)
        assert (left.failure.title, left.attempts) == ("bad.txt", 2)


async def test_a_listing_that_failed_is_made_again_for_what_is_new(database: Database) -> None:
    source, spec = notes("ant", "bee", "cat")
    source.blind = True
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        before = await place(house, connection)
        source.blind = False
        source.notes["aardvark"] = b"It was in the hole."
        del source.notes["bee"]

        run = await retried(house, first)

        assert first.status is RunStatus.SUCCEEDED_WITH_FAILURES
        assert run.status is RunStatus.SUCCEEDED
        assert (run.counts.found, run.counts.processed, run.counts.deleted) == (1, 1, 0)
        assert run.counts.adds_up
        assert await house.failures(connection) == []
        assert "bee" in await statuses(house, connection)
        assert await place(house, connection) == before


async def test_a_listing_that_fails_again_stays_with_one_more_attempt(database: Database) -> None:
    source, spec = notes("ant", "bee")
    source.blind = True
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)

        run = await retried(house, first)

        assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES
        assert (run.counts.found, run.counts.failed) == (1, {"transient": 1})
        assert run.counts.adds_up
        assert [each.attempts for each in await house.failures(connection)] == [2]


async def test_what_is_gone_meanwhile_stays_failed_until_a_run_tidies_up(
    database: Database,
) -> None:
    door = Door({"bee"})
    source, spec = notes("ant", "bee", connector=door.connector)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        del source.notes["bee"]
        door.closed.clear()

        run = await retried(house, first)
        [left] = await house.failures(connection)
        await house.ingest(connection)

        assert run.counts.failed == {"not_found": 1}
        assert run.counts.adds_up
        assert "ordinary run" in left.failure.action
        assert await house.failures(connection) == []


async def test_what_an_earlier_run_left_behind_is_not_a_retrys_business(
    database: Database,
) -> None:
    door = Door({"bee"})
    _, spec = notes("ant", "bee", "cat", connector=door.connector)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.request(connection)
        lost = await house.claim(lease=timedelta(0))
        with pytest.raises(Dies):
            await house.attempt(lost, DyingAtOnce)
        async with house.services.database.transaction() as tx:
            await wishes.cancel(tx, LOCAL_TENANT, lost.id)
            await wishes.honour(tx)

        run = await retried(house, lost)

        assert (run.counts.found, run.counts.failed) == (1, {"forbidden": 1})
        assert (await statuses(house, connection))["ant"] == "staged"


async def test_the_next_attempt_at_a_retry_goes_on_with_exact_counts(database: Database) -> None:
    names = tuple(f"note {number:02}" for number in range(30))
    door = Door(set(names[:25]))
    _, spec = notes(*names, connector=door.connector)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        first = await house.ingest(connection)
        door.closed = {names[0]}
        run_id = await house.retry(first)
        lost = await house.claim(lease=timedelta(0))
        with pytest.raises(Dies):
            await house.attempt(lost, DyingAtOnce)

        await house.attempt(await house.claim())

        run = await house.run(run_id)
        assert (run.counts.found, run.counts.processed) == (25, 24)
        assert run.counts.failed == {"forbidden": 1}
        assert run.counts.adds_up
        assert [each.attempts for each in await house.failures(connection)] == [2]


class Dies(Exception):
    """Stands for the process: nothing after it happens."""


class DyingAtOnce(Plain):
    """An attempt whose process dies with its first batch in hand."""

    async def batch(self, number: int) -> None:
        raise Dies(number)
