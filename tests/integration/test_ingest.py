"""An ingestion, part by part: what it makes of a source, of its changes, and of its troubles."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from connectors.artifact import PartitionKey, Ref
from connectors.connector import Fetched
from connectors.errors import SourceRefused
from connectors.events import Cursor
from connectors.events import Event as Said
from connectors.memory import MemoryConnector
from pipelines.flows.steps import Plain
from storage import artifacts
from storage.connections import Connection
from storage.database import Database
from storage.errors import RunEnded
from storage.events import EventKind, RunStatus, fold
from storage.ids import Seq
from tests.ingesting import House, notes, open_house

MANY = tuple(f"note {number:03}" for number in range(250))


@pytest.fixture
async def house(database: Database) -> AsyncGenerator[House]:
    async with open_house(database) as house:
        yield house


async def searchable(house: House, connection: Connection) -> int:
    async with house.services.database.reading() as tx:
        return await artifacts.searchable(tx, connection.id)


async def test_a_folder_becomes_searchable_and_its_counts_add_up(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    for name, text in {"README.md": "# Hello", "code.py": "x = 1\n", "empty.txt": ""}.items():
        (tmp_path / "source" / name).write_text(text)
    connection = await house.connect("local", {"path": str(tmp_path / "source")})

    run = await house.ingest(connection)

    assert run.status is RunStatus.SUCCEEDED
    assert (run.counts.found, run.counts.processed) == (3, 2)
    assert run.counts.skipped == {"empty": 1}
    assert run.counts.adds_up
    assert await searchable(house, connection) == 2


async def test_the_story_is_told_in_order(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    connection = await house.connect("local", {"path": str(tmp_path), "include": ["*.txt"]})

    run = await house.ingest(connection)

    kinds = await house.kinds(run.id)
    assert kinds[:3] == [EventKind.QUEUED, EventKind.STARTED, EventKind.STAGE_STARTED]
    assert kinds[-2:] == [EventKind.STAGE_FINISHED, EventKind.SUCCEEDED]
    assert kinds.count(EventKind.QUERYABLE) == 1
    state = await house.state(run.id)
    assert state == {**state, **fold({}, await house.events(run.id))}
    assert state["counts"] == run.counts.to_json()


async def test_an_unchanged_source_is_not_processed_again(database: Database) -> None:
    _, spec = notes("ant", "bee", "cat")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)

        again = await house.ingest(connection)

    assert (again.counts.found, again.counts.unchanged, again.counts.processed) == (3, 3, 0)
    assert again.counts.bytes == again.counts.embedded == again.counts.chunks == 0


async def test_only_what_changed_is_processed(database: Database) -> None:
    source, spec = notes("ant", "bee", "cat")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.notes["bee"] = b"This note is about something else."
        del source.notes["cat"]
        source.notes["dog"] = b"This note is new."

        again = await house.ingest(connection)

        assert (again.counts.found, again.counts.unchanged, again.counts.processed) == (3, 1, 2)
        assert again.counts.deleted == 1
        assert await searchable(house, connection) == 3


async def test_a_large_loss_is_held_back_and_told(database: Database) -> None:
    source, spec = notes(*MANY)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        for name in MANY[:30]:
            del source.notes[name]

        again = await house.ingest(connection)

        assert again.counts.deleted == 0
        assert await searchable(house, connection) == 250
        tidied = (await house.events(again.id))[-2]
        assert tidied.data == {"stage": "tidy", "held_back": 30}
        assert "30 artifacts are gone" in (await house.state(again.id))["activity"]


async def test_a_hole_in_the_listing_deletes_nothing(database: Database) -> None:
    source, spec = notes("ant", "bee", "cat")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        del source.notes["bee"]
        source.blind = True

        again = await house.ingest(connection)

        assert again.status is RunStatus.SUCCEEDED_WITH_FAILURES
        assert again.counts.deleted == 0
        assert again.counts.adds_up
        assert await searchable(house, connection) == 3


async def test_an_artifact_that_cannot_be_read_fails_by_itself(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfeb\x00a\x00d\xd8")  # half a surrogate pair
    connection = await house.connect("local", {"path": str(tmp_path), "include": ["*.txt"]})

    run = await house.ingest(connection)

    assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert run.counts.failed == {"undecodable": 1}
    assert run.counts.adds_up
    [told] = [event for event in await house.events(run.id) if event.kind is EventKind.ITEM_FAILED]
    assert told.data["title"] == "bad.txt"
    assert told.data["action"]
    assert [each["title"] for each in (await house.state(run.id))["failures"]] == ["bad.txt"]


async def test_a_source_that_is_not_there_fails_the_run_with_a_reason(
    house: House, tmp_path: Path
) -> None:
    connection = await house.connect("local", {"path": str(tmp_path / "nowhere")})

    run = await house.ingest(connection)

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason["code"] == "source_missing"
    assert run.reason["action"]
    assert "nowhere" in run.reason["message"]


async def test_a_kind_that_is_not_installed_fails_the_run_with_a_reason(house: House) -> None:
    run = await house.ingest(await house.connect("gopher", {}))

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason["code"] == "kind_unknown"


class Refusing(MemoryConnector):
    """Refuses in the middle of the listing."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Said]:
        async for event in MemoryConnector.read(self, partition, cursor):
            yield event
            if self.source.blind and getattr(getattr(event, "cursor", None), "after", "") > "bee":
                raise SourceRefused("The password was changed.")


async def test_what_was_staged_before_a_refusal_is_finished_by_the_next_run(
    database: Database,
) -> None:
    source, spec = notes("ant", "bee", "cat", "dog", "elk", connector=Refusing)
    source.blind = True
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        refused = await house.ingest(connection)
        source.blind = False

        run = await house.ingest(connection)

        assert refused.status is RunStatus.FAILED
        assert refused.reason is not None
        assert refused.reason["code"] == "source_refused"
        assert run.status is RunStatus.SUCCEEDED
        assert run.counts.adds_up
        assert await searchable(house, connection) == 5


class Forgetful(MemoryConnector):
    """Names everything twice, as a source does whose pages shift while they are read."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Said]:
        async for event in MemoryConnector.read(self, partition, cursor):
            yield event
            yield event


async def test_what_is_named_twice_is_counted_once(database: Database) -> None:
    _, spec = notes("ant", "bee", "cat", connector=Forgetful)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})

        first, second = await house.ingest(connection), await house.ingest(connection)

    assert (first.counts.found, first.counts.processed) == (3, 3)
    assert (second.counts.found, second.counts.unchanged) == (3, 3)


class Vanishing(MemoryConnector):
    """One note is gone between its listing and its fetching."""

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        self.source.notes.pop("bee", None)
        return await MemoryConnector.fetch(self, refs)


async def test_what_vanished_meanwhile_is_no_failure(database: Database) -> None:
    _, spec = notes("ant", "bee", "cat", connector=Vanishing)
    async with open_house(database, spec) as house:
        run = await house.ingest(await house.connect("memory", {}))

    assert run.status is RunStatus.SUCCEEDED
    assert (run.counts.found, run.counts.processed) == (2, 2)


class Dies(Exception):
    """Stands for the process: nothing after it happens."""


class DyingAtBatch(Plain):
    """An attempt whose process dies after some batches."""

    async def batch(self, number: int) -> None:
        if number == 3:
            raise Dies
        await Plain.batch(self, number)


async def test_the_next_attempt_goes_on_with_exact_counts(database: Database) -> None:
    _, spec = notes(*MANY)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        run_id = await house.request(connection)
        lost = await house.claim(lease=timedelta(0))
        with pytest.raises(Dies):
            await house.attempt(lost, DyingAtBatch)
        before = await house.run(run_id)

        await house.attempt(await house.claim())

        run = await house.run(run_id)
        assert 0 < before.counts.processed < 250
        assert run.attempt == 2
        assert run.counts.found == run.counts.processed == 250
        assert await searchable(house, connection) == 250
        assert (await house.kinds(run_id)).count(EventKind.QUERYABLE) == 1


async def test_a_stale_attempt_writes_nothing(database: Database) -> None:
    _, spec = notes("ant", "bee")
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))
        stale = await house.claim(lease=timedelta(0))
        await house.attempt(await house.claim())
        told = await house.kinds(run_id)

        with pytest.raises(RunEnded):
            await house.attempt(stale)

        assert await house.kinds(run_id) == told


class DrainedAtBatch(Plain):
    """The worker is told to stop while a batch is in hand."""

    async def batch(self, number: int) -> None:
        if number == 2:
            self.ingestion.work.services.draining.set()
        await Plain.batch(self, number)


async def test_a_drained_worker_finishes_its_batch_and_hands_the_run_over(
    database: Database,
) -> None:
    _, spec = notes(*MANY, connector=partial(MemoryConnector, page=100))
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        run_id = await house.request(connection)

        await house.attempt(await house.claim(), DrainedAtBatch)

        handed_over = await house.run(run_id)
        assert handed_over.status is RunStatus.QUEUED
        assert handed_over.worker is None
        assert (await house.kinds(run_id))[-1] is EventKind.ATTEMPT_HANDED_OVER
        assert 20 <= handed_over.counts.processed < 250
        house.services.draining.clear()
        await house.attempt(await house.claim())
        run = await house.run(run_id)
        assert run.counts.found == run.counts.processed == 250
        assert (await house.state(run_id))["status"] == "succeeded"


class StoppedForAMoment(Plain):
    """Somebody wishes the run to pause, and takes it back before the batch in hand is done."""

    async def batch(self, number: int) -> None:
        work = self.ingestion.work
        if number == 2:
            work.services.stop({(work.run.id, work.run.attempt)})
        await Plain.batch(self, number)
        work.services.stop(())


async def test_who_was_told_to_stop_hands_over_also_if_it_is_taken_back(database: Database) -> None:
    _, spec = notes(*MANY, connector=partial(MemoryConnector, page=100))
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))

        first = await house.attempt(await house.claim(), StoppedForAMoment)
        last = await house.attempt(await house.claim())
        run = await house.run(run_id)

    assert (first.status, last.status) == (RunStatus.QUEUED, RunStatus.SUCCEEDED)
    assert run.counts.found == run.counts.processed == 250


async def test_progress_never_falls_and_parts_never_exceed_totals(database: Database) -> None:
    _, spec = notes(*MANY)
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))
        lost = await house.claim(lease=timedelta(0))
        with pytest.raises(Dies):
            await house.attempt(lost, DyingAtBatch)
        await house.attempt(await house.claim())

        told = (await house.log.since(run_id, Seq(0))).events

    last = {"find": 0, "read": 0, "tidy": 0}
    for stage in (stage for each in told for stage in each.event.patch.get("stages", ())):
        assert stage["done"] >= last[stage["key"]]
        assert stage["total"] is None or stage["done"] <= stage["total"]
        last[stage["key"]] = stage["done"]
    assert last == {"find": 250, "read": 250, "tidy": 1}
