"""A run whose grant dies waits for its owner, and goes on where it was, fetching nothing twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from connectors.access import CredentialKind, Token
from connectors.artifact import PartitionKey, Ref
from connectors.connector import Fetched, Spec
from connectors.events import Checkpoint, Cursor, Event
from connectors.keeping import write_down
from connectors.memory import MemoryConnector, Notes
from storage import credentials, runs
from storage.connections import Connection
from storage.database import Database
from storage.events import RunStatus, WaitingReason
from storage.sealed import Keyring, new_key
from tests.ingesting import House, notes, open_house

NAMES = tuple(f"note {number:02}" for number in range(40))
KEYRING = Keyring.parse(new_key())


class Counting(MemoryConnector):
    """Counts what is fetched, and changes its lock when it has told as much as it was told to."""

    fetched: ClassVar[Counter[str]]
    locks_after: ClassVar[str | None]

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        async for event in MemoryConnector.read(self, partition, cursor):
            yield event
            place = getattr(event, "cursor", None)
            if isinstance(event, Checkpoint) and self.locks_after == getattr(place, "after", ""):
                self.source.lock = SecretStr("another lock")
                await self._enter()

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        fetched = await MemoryConnector.fetch(self, refs)
        self.fetched.update(ref.external_id for ref in refs)
        return fetched


def locked_notes(*, locks_after: str | None = None) -> tuple[Notes, Spec, Counter[str]]:
    told: Counter[str] = Counter()
    kind = type("Told", (Counting,), {"fetched": told, "locks_after": locks_after})
    source, spec = notes(*NAMES, connector=kind)
    source.lock = SecretStr("first key")
    return source, replace(spec, credentials=frozenset({CredentialKind.TOKEN})), told


def keyed(house: House, keyring: Keyring = KEYRING) -> House:
    return replace(house, services=replace(house.services, keyring=lambda: keyring))


async def give(house: House, connection: Connection, key: str) -> None:
    """What the api does when an owner connects again."""
    async with house.services.database.transaction() as tx:
        await credentials.give(
            tx,
            KEYRING,
            connection.tenant,
            connection.id,
            kind="token",
            secret=write_down(Token(token=SecretStr(key))),
            actor="test",
        )
        await runs.wake(tx, connection=connection.id, reason=WaitingReason.REAUTHORIZATION)


async def test_run_whose_access_is_revoked_in_the_middle_goes_on_at_its_cursor(
    database: Database,
) -> None:
    source, spec, fetched = locked_notes(locks_after="note 19")
    async with open_house(database, spec) as opened:
        house = keyed(opened)
        connection = await house.connect("memory", {})
        await give(house, connection, "first key")
        run_id = await house.request(connection)

        await house.attempt(await house.claim())

        waits = await house.run(run_id)
        assert waits.status is RunStatus.WAITING
        assert waits.reason is not None
        assert waits.reason["code"] == "reauthorization"
        assert "revoked" in waits.reason["message"]
        assert waits.reason["action"]
        assert waits.counts.found == waits.counts.processed == 20

        source.lock = SecretStr("second key")
        await give(house, connection, "second key")
        await house.attempt(await house.claim())

        run = await house.run(run_id)
        assert (run.status, run.tries) == (RunStatus.SUCCEEDED, 1)
        assert run.counts.found == run.counts.processed == len(NAMES)
        assert set(fetched.values()) == {1}
        assert len(fetched) == len(NAMES)


async def test_another_run_of_a_dead_credential_waits_without_asking_the_source(
    database: Database,
) -> None:
    source, spec, fetched = locked_notes()
    async with open_house(database, spec) as opened:
        house = keyed(opened)
        connection = await house.connect("memory", {})
        await give(house, connection, "wrong key")
        run_id = await house.request(connection)
        await house.attempt(await house.claim())
        source.lock = None  # it would let anybody in now, but it was not asked

        async with database.transaction() as tx:
            await runs.wake(tx, run=run_id)
        await house.attempt(await house.claim())

        waits = await house.run(run_id)
        assert waits.status is RunStatus.WAITING
        assert not fetched


async def test_owner_who_was_faster_than_the_wait_is_not_waited_for(database: Database) -> None:
    source, spec, _ = locked_notes(locks_after="note 19")
    async with open_house(database, spec) as opened:
        house = keyed(opened)
        connection = await house.connect("memory", {})
        await give(house, connection, "first key")
        run_id = await house.request(connection)
        claimed = await house.claim()

        attempt = asyncio.create_task(house.attempt(claimed))
        while source.lock != SecretStr("another lock"):
            await asyncio.wait({attempt}, timeout=0.001)
        await give(house, connection, "another lock")
        await attempt
        while (await house.run(run_id)).status is RunStatus.WAITING:
            await house.attempt(await house.claim())

        assert (await house.run(run_id)).status is RunStatus.SUCCEEDED


async def test_connection_without_a_credential_says_that_one_is_missing(
    database: Database,
) -> None:
    _, spec, _ = locked_notes()
    async with open_house(database, spec) as opened:
        house = keyed(opened)
        run = await house.ingest(await house.connect("memory", {}))

        assert run.status is RunStatus.WAITING
        assert run.reason is not None
        assert "there is none" in run.reason["message"]
        assert run.waits_until is not None


async def test_key_that_is_missing_fails_the_run_with_what_to_do(database: Database) -> None:
    _, spec, _ = locked_notes()
    async with open_house(database, spec) as opened:
        house = keyed(opened, Keyring.parse(new_key()))
        connection = await house.connect("memory", {})
        await give(house, connection, "first key")

        run = await house.ingest(connection)

        assert run.status is RunStatus.FAILED
        assert run.reason is not None
        assert run.reason["code"] == "secret_key_missing"
        assert "HEADWATER_SECRET_KEYS" in run.reason["action"]


@pytest.mark.parametrize("table", ["milestones", "runs", "failures", "audit", "connections"])
async def test_no_table_but_the_sealed_one_knows_a_secret(database: Database, table: str) -> None:
    source, spec, _ = locked_notes(locks_after="note 19")
    source.lock = SecretStr("canary-key")
    async with open_house(database, spec) as opened:
        house = keyed(opened)
        connection = await house.connect("memory", {})
        await give(house, connection, "canary-key")
        await house.ingest(connection)

        async with database.reading() as tx:
            rows = (await tx.execute(text(f"SELECT * FROM {table}"))).all()  # noqa: S608  # ours

        assert rows or table == "failures"
        assert "canary-key" not in str(rows)
