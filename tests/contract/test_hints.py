"""Hints on both databases: however many come, and in whatever order, they are one run after."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from connectors import catalog
from pipelines.hinting import Hinting
from pipelines.upkeep import Upkeep
from storage import connections, erasing, hints, partitions, runs, schedules
from storage.clock import now
from storage.connections import Connection
from storage.credentials import Vault, give
from storage.database import Database, Tx
from storage.events import EventKind
from storage.hints import APART, SETTLE, Heard, Hinted, Subject
from storage.ids import RunId, TenantId
from storage.runs import Run
from storage.schedules import Cadence
from storage.sealed import Keyring, new_key
from storage.tables import digests
from tests.asked import event, found, recorded

MONDAY = datetime(2025, 11, 3, 8, tzinfo=UTC)
THING = Subject(kind="github", chooses="repositories", name="acme/thing")
KEYRING = Keyring.parse(new_key())


@dataclass(slots=True)
class Time:
    """A stopped clock, and workers that go by it."""

    database: Database
    tenant: TenantId
    at: datetime = MONDAY
    started: list[RunId] = field(default_factory=list[RunId])

    def worker(self) -> Hinting:
        return Hinting(self.database, catalog.specs(), self.started.append, self.now)

    async def now(self, tx: Tx) -> datetime:  # noqa: ARG002  # a clock that asks no database
        return self.at

    async def connect(
        self, *, kind: str = "github", config: Mapping[str, Any] | None = None, **more: Any
    ) -> Connection:
        """Something that was ingested once, if ``ingested`` is not False."""
        ingested = more.pop("ingested", True)
        stated = {"repositories": ["Acme/Thing"]} if config is None else config
        async with self.database.transaction() as tx:
            made, _ = await connections.connect(
                tx, self.tenant, owner="ada", kind=kind, title="It", config=stated, **more
            )
        if ingested:
            await self.end(await self.ask(made))
        return made

    async def ask(self, connection: Connection, given: Mapping[str, str] | None = None) -> RunId:
        async with self.database.transaction() as tx:
            run, _ = await runs.request(
                tx, self.tenant, connection=connection, workflow="ingest", input=given or {}
            )
        return run.id

    async def begin(self, run: RunId) -> None:
        await recorded(self.database, run, event(EventKind.STARTED, attempt=0))

    async def end(self, run: RunId) -> None:
        await recorded(self.database, run, event(EventKind.SUCCEEDED, attempt=0))

    async def hear(self, *heard: Heard) -> int:
        return await hints.take(self.database, heard, moment=self.at)

    async def look(self, *, later: timedelta = SETTLE) -> Sequence[RunId]:
        self.at += later
        return await self.worker().look()

    async def hinted(self, connection: Connection) -> Hinted | None:
        async with self.database.reading() as tx:
            return await hints.get(tx, self.tenant, connection.id)

    async def pending(self, connection: Connection) -> int:
        it = await self.hinted(connection)
        return 0 if it is None else it.pending

    async def of(self, connection: Connection) -> list[Run]:
        async with self.database.reading() as tx:
            return await runs.page(tx, self.tenant, connection=connection.id, after=None, limit=100)


@pytest.fixture
def time(database: Database, tenant: TenantId) -> Time:
    return Time(database, tenant)


def heard(name: str, *, subject: Subject = THING, position: int | None = None) -> Heard:
    return Heard.of(subject, (name, f"the body of {name}"), position)


async def test_a_storm_is_one_row_and_one_run_that_yields(time: Time) -> None:
    connection = await time.connect()

    for start in range(0, 1_000, 100):
        await time.hear(*(heard(str(number)) for number in range(start, start + 100)))
    before = await time.hinted(connection)
    led = [await time.worker().look() for _ in range(2)]
    workers = [time.worker() for _ in range(3)]
    time.at += SETTLE
    led += await asyncio.gather(*(each.look() for each in workers))

    assert before == Hinted(1_000, MONDAY)
    (run,) = [run for each in led for run in each]
    assert time.started == [run]
    assert await time.hinted(connection) == Hinted(0, MONDAY)
    assert (await found(time.database, run)).scheduled


async def test_what_was_heard_before_is_not_heard_again_by_another_name_or_with_another_body(
    time: Time,
) -> None:
    connection = await time.connect()
    first = Heard.of(THING, ("id", b"body"))

    kept = [
        await time.hear(first, first),
        await time.hear(first),
        await time.hear(Heard.of(THING, ("other id", b"body"))),
        await time.hear(Heard.of(THING, ("id", b"other body"))),
    ]

    again = [Heard.of(THING, (f"id {number}", b"body")) for number in range(100)]
    assert kept == [1, 0, 0, 0]
    assert await time.hear(*again) == 0
    assert await time.pending(connection) == 1
    assert await kept_deliveries(time) == 2


async def test_hints_during_a_run_lead_to_one_run_after_it(time: Time) -> None:
    connection = await time.connect()
    going = await time.ask(connection)
    await time.begin(going)

    await time.hear(heard("1"))
    during = [await time.look(later=SETTLE) for _ in range(3)]
    await time.hear(heard("2"))
    await time.end(going)
    after = await time.look()
    again = await time.look(later=APART)

    assert during == [[], [], []]
    assert len(after) == 1
    assert again == []
    assert len(await time.of(connection)) == 3


async def test_a_run_that_waits_for_a_worker_will_see_it_and_is_the_one(time: Time) -> None:
    connection = await time.connect()
    waiting = await time.ask(connection)

    await time.hear(heard("1"))

    assert await time.look() == []
    assert await time.pending(connection) == 0
    assert (await time.of(connection))[0].id == waiting
    assert not (await found(time.database, waiting)).scheduled  # somebody asked for it


async def test_a_run_that_waits_to_try_again_what_failed_will_not_see_it(time: Time) -> None:
    connection = await time.connect()
    waiting = await time.ask(connection, {"only": "failed"})
    await time.hear(heard("1"))

    meanwhile = await time.look()
    await time.end(waiting)

    assert meanwhile == []
    assert len(await time.look()) == 1


async def test_those_who_take_in_the_same_at_once_count_it_once(time: Time) -> None:
    ours = [await time.connect(config={"repositories": ["acme/thing", f"a/{n}"]}) for n in range(4)]
    storm = [heard(str(number)) for number in range(40)]
    shuffled = [Random(n).sample(storm, len(storm)) for n in range(4)]  # noqa: S311  # no secrets

    kept = await asyncio.gather(*(time.hear(*each) for each in shuffled))

    assert sum(kept) == 40
    assert [await time.pending(each) for each in ours] == [40] * 4


async def test_in_a_storm_that_goes_on_runs_are_apart(time: Time) -> None:
    connection = await time.connect()
    begun = time.at
    for number in range(60):
        await time.hear(heard(str(number)))
        for run in await time.look():
            await time.end(run)

    assert len(await time.of(connection)) - 1 == (time.at - begun) // APART


@pytest.mark.parametrize(
    ("subject", "touched"),
    [
        (THING, ["named"]),
        (Subject(kind="github", chooses="repositories", name="ACME/thing"), ["named"]),
        (Subject(kind="github", chooses="repositories", name="acme/thin"), []),
        (Subject(kind="github", chooses="repositories", name="acme/th%"), []),
        (Subject(kind="github", chooses="repositories", name='acme/x", "y'), []),
        (Subject(kind="github", chooses="repositories", account="installation:7"), ["all of 7"]),
        (
            Subject(kind="github", chooses="repositories", account="installation:7", name="a/b"),
            ["a/b of 7", "all of 7"],
        ),
        (Subject(kind="github", mark=("repository", 42)), ["renamed"]),
        (Subject(kind="github", mark=("repository", 4)), []),
        (Subject(kind="gmail", account="Ann@example.org"), ["mail"]),
        (Subject(kind="gmail", account="ann"), []),
        (Subject(kind="gmail"), []),
    ],
    ids=str,
)
async def test_a_hint_concerns_those_that_are_about_it_and_no_others(
    time: Time, subject: Subject, touched: list[str]
) -> None:
    ours = {
        "named": await time.connect(),
        "all of 7": await time.connect(config={"repositories": []}, account="installation:7"),
        "a/b of 7": await time.connect(config={"repositories": ["a/b"]}, account="installation:7"),
        "renamed": await time.connect(config={"repositories": ["old/name"]}),
        "mail": await time.connect(kind="gmail", config={}, account="ann@example.org"),
        "other": await time.connect(kind="local", config={"path": "acme/thing"}),
    }
    async with time.database.transaction() as tx:
        await partitions.save(
            *(tx, time.tenant, ours["renamed"].id, "code:old/name"),
            cursor={"repository": 42},
            done=True,
        )

    kept = await time.hear(heard("1", subject=subject))

    assert sorted([name for name, it in ours.items() if await time.pending(it)]) == touched
    assert kept == bool(touched)


async def test_of_what_concerns_nobody_nothing_is_kept(time: Time) -> None:
    await time.hear(*(heard(str(number)) for number in range(10)))

    assert await kept_deliveries(time) == 0


async def kept_deliveries(time: Time) -> int:
    async with time.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(digests)) or 0


async def test_a_push_that_was_read_already_leads_to_nothing_and_a_later_one_to_a_run(
    time: Time,
) -> None:
    mail = Subject(kind="gmail", account="ann@example.org")
    connection = await time.connect(kind="gmail", config={}, account="ann@example.org")
    async with time.database.transaction() as tx:
        await partitions.save(
            *(tx, time.tenant, connection.id, "mail"), cursor={"anchor": "1000"}, done=True
        )

    await time.hear(heard("1", subject=mail, position=990), heard("2", subject=mail, position=1000))
    stale = await time.look()
    pending = await time.pending(connection)
    await time.hear(heard("3", subject=mail, position=1003))
    await time.hear(heard("4", subject=mail, position=900))  # out of order

    assert (stale, pending) == ([], 0)
    assert len(await time.look()) == 1


async def test_before_the_first_ingestion_nobody_waits_for_changes(time: Time) -> None:
    connection = await time.connect(ingested=False)

    await time.hear(heard("1"))

    assert await time.look() == []
    assert await time.of(connection) == []
    assert await time.pending(connection) == 0


async def test_a_lost_account_and_a_paused_schedule_keep_hints_until_they_are_back(
    time: Time,
) -> None:
    connection = await time.connect()
    vault = Vault(time.database, KEYRING, time.tenant, connection.id, "test")
    async with time.database.transaction() as tx:
        await give(
            *(tx, KEYRING, time.tenant, connection.id), kind="token", secret=b"1", actor="test"
        )
        await schedules.put(tx, connection, Cadence(interval=timedelta(days=1)), moment=MONDAY)
    await vault.bury(1, "revoked")
    await time.hear(heard("1"))

    dead = await time.look()
    async with time.database.transaction() as tx:
        await schedules.pause(tx, time.tenant, connection.id)
        await give(
            *(tx, KEYRING, time.tenant, connection.id), kind="token", secret=b"2", actor="test"
        )
    paused = await time.look(later=timedelta(minutes=1))
    async with time.database.transaction() as tx:
        await schedules.resume(tx, time.tenant, connection.id, moment=MONDAY)

    assert (dead, paused) == ([], [])
    assert len(await time.look(later=timedelta(minutes=1))) == 1


async def test_what_was_told_of_a_connection_goes_when_it_is_erased(time: Time) -> None:
    connection = await time.connect()
    await time.hear(heard("1"))

    async with time.database.transaction() as tx:
        await erasing.request(tx, time.tenant, connection.id, revoked=False, actor="test")
    await time.hear(heard("2"))

    assert await time.hinted(connection) is None
    assert await time.look() == []


async def test_deliveries_are_forgotten_after_a_week(time: Time) -> None:
    await time.connect()
    await time.hear(heard("1"))
    time.at = now()
    await time.hear(heard("2"))

    await Upkeep(time.database, timedelta()).once()

    assert await kept_deliveries(time) == 2
    assert [await time.hear(heard("1")), await time.hear(heard("2"))] == [1, 0]
