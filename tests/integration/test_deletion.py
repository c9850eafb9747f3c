"""What leaves a source leaves the index when that is certain; what comes back is there at once."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import select

from connectors.artifact import PartitionKey
from connectors.events import CensusEvent, Checkpoint, Cursor, Event
from connectors.memory import MemoryConnector, Notes
from pipelines.upkeep import Upkeep
from storage import artifacts, deletions, requests
from storage.artifacts import ArtifactStatus
from storage.connections import Connection
from storage.database import Database
from storage.deletions import Decision, Deletion, Doubt
from storage.embedding import StaticEmbedder
from storage.errors import DeletionDecided
from storage.events import EventKind
from storage.ids import LOCAL_TENANT, TenantId
from storage.requests import Answer
from storage.search import Searcher
from storage.tables import artifacts as table
from storage.tables import blobs as blobs_table
from tests.ingesting import House, notes, open_house

SOME = [f"note {number:03}" for number in range(30)]


class ToldAll(MemoryConnector):
    """Says of every read that nothing can have left since the one before."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        async for event in super().read(partition, cursor):
            done = isinstance(event, Checkpoint) and event.done
            yield replace(cast("Checkpoint", event), quiet=True) if done else event


class ListsNothing(MemoryConnector):
    """Its feed tells the truth, and its listing is of before everything."""

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        async for event in MemoryConnector(Notes({})).census(partition):
            yield event


async def shown(house: House, connection: Connection) -> set[str]:
    """What a user is shown of the index."""
    async with house.services.database.reading() as tx:
        rows = await artifacts.page(
            tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=1_000
        )
    return {row.title for row in rows if row.status is ArtifactStatus.READY}


async def hits(house: House, words: str) -> list[str]:
    async with house.services.database.reading() as tx:
        found = await Searcher(StaticEmbedder()).search(tx, LOCAL_TENANT, words, limit=50)
    return [hit.title for hit in found]


async def rows(database: Database) -> list[str]:
    async with database.reading() as tx:
        return sorted(await tx.scalars(select(table.c.title)))


async def asked(house: House) -> list[Deletion]:
    async with house.services.database.reading() as tx:
        return await deletions.page(
            tx, LOCAL_TENANT, connection=None, undecided=True, after=None, limit=10
        )


async def approve(house: House, deletion_id: UUID) -> int:
    async with house.services.database.transaction() as tx:
        answer = await deletions.approve(tx, LOCAL_TENANT, deletion_id)
    assert answer is not None
    assert answer[0].decision is Decision.APPROVED
    return answer[1]


async def decline(house: House, deletion_id: UUID) -> None:
    async with house.services.database.transaction() as tx:
        answer = await deletions.decline(tx, LOCAL_TENANT, deletion_id)
    assert answer is not None
    assert answer.decision is Decision.DECLINED


@pytest.mark.parametrize("listing", ["empty", "half", "yesterday"])
async def test_a_broken_listing_deletes_nothing_until_somebody_approves_it(
    database: Database, listing: str
) -> None:
    source, spec = notes(*SOME)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.notes["later"] = b"It came later."
        await house.ingest(connection)
        lacking = {
            "empty": {*SOME, "later"},
            "half": set(SOME[:16]),
            "yesterday": {"later"},
        }[listing]
        source.notes = {key: body for key, body in source.notes.items() if key not in lacking}
        run = await house.ingest(connection)

        (deletion,) = await asked(house)
        assert run.counts.deleted == 0
        assert await shown(house, connection) == {*SOME, "later"}
        assert deletion.artifacts == len(lacking)
        expected = {"empty": Doubt.EVERYTHING, "half": Doubt.MANY, "yesterday": Doubt.RECENT}
        assert deletion.reason is expected[listing]
        assert EventKind.DELETION_HELD in await house.kinds(run.id)

        gone = await approve(house, deletion.id)

        assert gone == len(lacking)
        assert await approve(house, deletion.id) == 0
        assert await shown(house, connection) == {*SOME, "later"} - lacking


async def test_what_is_gone_is_found_by_nobody_and_there_at_once_when_it_is_back(
    database: Database,
) -> None:
    source, spec = notes("ant", "bee", "cat")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        bee = source.notes.pop("bee")
        gone = await house.ingest(connection)
        without = await hits(house, "bee")

        source.notes["bee"] = bee
        back = await house.ingest(connection)

        assert gone.counts.deleted == 1
        assert "bee" not in without
        assert "bee" in await hits(house, "bee")
        assert back.counts.embedded == 0
        assert await shown(house, connection) == {"ant", "bee", "cat"}


async def test_a_later_listing_that_names_them_settles_it(database: Database) -> None:
    source, spec = notes(*SOME)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        truth, source.notes = source.notes, {}
        await house.ingest(connection)
        (deletion,) = await asked(house)
        await house.ingest(connection)
        (again,) = await asked(house)

        source.notes = truth
        await house.ingest(connection)

        assert again.id == deletion.id
        assert await asked(house) == []
        with pytest.raises(DeletionDecided):
            await approve(house, deletion.id)
        assert await shown(house, connection) == set(SOME)


async def test_approving_takes_nothing_that_a_listing_has_named_since(database: Database) -> None:
    source, spec = notes(*SOME)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        truth, source.notes = source.notes, {}
        await house.ingest(connection)
        source.notes = {name: truth[name] for name in SOME[:10]}
        await house.ingest(connection)
        (deletion,) = await asked(house)

        gone = await approve(house, deletion.id)

        assert gone == 20
        assert await shown(house, connection) == set(SOME[:10])


@pytest.fixture
async def unsettled(database: Database) -> AsyncGenerator[tuple[House, Connection, Notes]]:
    """All is read, and the first listing ended with a hole."""
    source, spec = notes(*SOME, connector=ToldAll)
    source.blind = True
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.blind = False
        yield house, connection, source


async def test_no_listing_is_asked_for_once_one_has_settled_what_is_gone(
    unsettled: tuple[House, Connection, Notes],
) -> None:
    house, connection, source = unsettled
    del source.notes[SOME[0]]
    await house.ingest(connection)
    settled = await shown(house, connection)
    del source.notes[SOME[1]]
    await house.ingest(connection)

    assert settled == set(SOME[1:])
    assert await shown(house, connection) == settled  # as nobody told of it


async def test_a_doubt_is_settled_by_the_next_listing_though_nothing_changed(
    unsettled: tuple[House, Connection, Notes],
) -> None:
    house, connection, source = unsettled
    truth, source.notes = source.notes, {}
    await house.ingest(connection)
    doubted = await asked(house)
    source.notes = truth
    await house.ingest(connection)

    assert doubted
    assert await asked(house) == []
    assert await shown(house, connection) == set(SOME)


async def test_what_is_declined_is_kept_and_asked_about_again(database: Database) -> None:
    source, spec = notes(*SOME)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.notes = {}
        await house.ingest(connection)
        (deletion,) = await asked(house)

        await decline(house, deletion.id)
        await decline(house, deletion.id)
        with pytest.raises(DeletionDecided):
            await approve(house, deletion.id)
        await house.ingest(connection)

        assert await shown(house, connection) == set(SOME)
        assert [each.id for each in await asked(house)] != [deletion.id]


async def test_what_was_hidden_long_enough_is_purged_with_all_that_was_made_of_it(
    database: Database,
) -> None:
    source, spec = notes("ant", "bee", "cat")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        del source.notes["bee"]
        await house.ingest(connection)

        await Upkeep(database, timedelta(days=1)).once()
        kept = await rows(database)
        await Upkeep(database, timedelta()).once()
        left = await rows(database)

        assert kept == ["ant", "bee", "cat"]
        assert left == ["ant", "cat"]


async def test_contents_that_nothing_names_any_more_are_swept_and_others_stay(
    database: Database,
) -> None:
    source, spec = notes("ant", "bee")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.notes["bee"] = b"This note is about something else."
        await house.ingest(connection)
        async with database.transaction() as tx:
            await requests.keep(tx, LOCAL_TENANT, "POST /v1/x", "k", "f", Answer(200, {}, {}))

        await Upkeep(database, timedelta(days=7)).once()

        async with database.reading() as tx:
            kept = set(await tx.scalars(select(blobs_table.c.digest)))
            named = set(await tx.scalars(select(table.c.digest)))
            again = await requests.replay(tx, LOCAL_TENANT, "POST /v1/x", "k", "f")
        assert kept == named
        assert len(kept) == 2
        assert again is not None


async def test_another_tenant_decides_nothing(database: Database, other_tenant: TenantId) -> None:
    source, spec = notes(*SOME)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.notes = {}
        await house.ingest(connection)
        (deletion,) = await asked(house)

        async with database.transaction() as tx:
            assert await deletions.get(tx, other_tenant, deletion.id) is None
            assert await deletions.approve(tx, other_tenant, deletion.id) is None
            assert await deletions.decline(tx, other_tenant, deletion.id) is None

        assert len(await shown(house, connection)) == 30


async def test_what_a_run_has_just_seen_is_there_whatever_a_listing_says(
    database: Database,
) -> None:
    source, spec = notes("ant", "bee", connector=ListsNothing)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        source.notes["cat"] = b"This note is new."

        await house.ingest(connection)

        assert await shown(house, connection) == {"ant", "bee", "cat"}
        assert await asked(house) == []


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_history_the_index_is_the_source_or_says_what_is_in_doubt(
    database: Database, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  # not for secrets
    source, spec = notes(*SOME)
    truth = dict(source.notes)
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
        for step in range(6):
            _change(truth, random, step)
            broken = random.random() < 0.4
            keep = random.choice([0, len(truth) // 2]) if broken else len(truth)
            source.notes = dict(list(truth.items())[:keep])
            source.blind = random.random() < 0.2
            before = await shown(house, connection)

            await house.ingest(connection)

            index = await shown(house, connection)
            assert before & truth.keys() <= index, "something that is there was deleted"
            if not source.blind:
                doubted = sum(each.artifacts for each in await asked(house))
                assert source.notes.keys() <= index
                assert len(index - source.notes.keys()) == doubted


def _change(truth: dict[str, bytes], random: Random, step: int) -> None:
    names = list(truth)
    for name in random.sample(names, min(len(names), random.choice([0, 1, 2, 18]))):
        body = truth.pop(name)
        if random.random() < 0.3:
            truth[f"{name} renamed {step}"] = body
    truth[f"new {step}"] = f"This note is new in step {step}.".encode()
