"""A deployment decides which workers take a run, exactly and repeatably."""

import asyncio
from collections.abc import Mapping

import pytest

from storage import runs, versions
from storage.connections import Connection
from storage.database import Database
from storage.errors import NotDeployed
from storage.ids import RunId
from storage.tables import runs as runs_table
from storage.versions import Deployment, Ramp, Role
from storage.workers import beat, register
from tests.asked import OVER, claimed, connected, requested

RUNS = 40


async def activated(database: Database, version: str) -> Deployment:
    async with database.transaction() as tx:
        return await versions.activate(tx, version)


async def ramped(database: Database, version: str, percent: int) -> Deployment:
    async with database.transaction() as tx:
        return await versions.ramp(tx, version, percent)


async def fleets(database: Database) -> Mapping[str, tuple[Role, int, int, int]]:
    async with database.reading() as tx:
        return {
            each.version: (each.role, each.workers, each.held, each.queued)
            for each in await versions.fleets(tx)
        }


async def joined(database: Database, *with_versions: str) -> None:
    async with database.transaction() as tx:
        for each in with_versions:
            await register(tx, name=f"w{each}", version=each, host="h", pid=1, slots=4)


async def misplaced(database: Database, worker: str, version: str) -> set[RunId]:
    """What a worker of this version should hand over."""
    async with database.reading() as tx:
        held = await runs.held(tx, worker=worker)
        return {run for run, _ in await runs.misplaced(tx, held, version=version)}


@pytest.fixture
async def queued(database: Database, connection: Connection) -> dict[RunId, int]:
    """Runs that wait, and their buckets."""
    made = {}
    for number in range(RUNS):
        another = await connected(database, connection, number)
        run, _ = await requested(database, another)
        assert run.bucket is not None
        made[run.id] = run.bucket
    return made


async def taken(database: Database, version: str | None) -> set[RunId]:
    """All that a worker of this version may take."""
    async with database.transaction() as tx:
        got = await runs.claim(tx, worker="w", lease=-OVER, limit=RUNS, version=version)
    return {run.id for run in got}


async def test_without_a_deployment_anybody_takes_anything(
    database: Database, queued: dict[RunId, int]
) -> None:
    assert await taken(database, "1") == set(queued)


async def test_a_worker_without_a_version_takes_anything(
    database: Database, queued: dict[RunId, int]
) -> None:
    await activated(database, "1")

    assert await taken(database, None) == set(queued)


async def test_only_the_active_version_gets_runs(
    database: Database, queued: dict[RunId, int]
) -> None:
    await joined(database, "1", "2")
    await activated(database, "1")
    await activated(database, "2")

    old, new = await taken(database, "1"), await taken(database, "2")

    assert (old, new) == (set(), set(queued))


async def test_a_ramp_gets_its_share_and_the_active_version_the_rest(
    database: Database, queued: dict[RunId, int]
) -> None:
    await joined(database, "1", "2")
    await activated(database, "1")
    deployment = await ramped(database, "2", 30)

    share, rest = await taken(database, "2"), await taken(database, "1")

    assert share == {run for run, bucket in queued.items() if bucket < 30}
    assert share | rest == set(queued)
    assert not share & rest
    assert share == {run for run, of in queued.items() if versions.route(of, deployment) == "2"}


async def test_what_a_release_before_wrote_is_never_ramped(
    database: Database, queued: dict[RunId, int]
) -> None:
    await joined(database, "1", "2")
    async with database.transaction() as tx:
        await tx.execute(runs_table.update().values(bucket=None))
    await activated(database, "1")
    deployment = await ramped(database, "2", 100)

    share, rest = await taken(database, "2"), await taken(database, "1")

    assert (share, rest) == (set(), set(queued))
    assert versions.route(None, deployment) == "1"


async def test_a_lost_run_follows_the_deployment(
    database: Database, connection: Connection
) -> None:
    await joined(database, "1", "2")
    await requested(database, connection)
    await claimed(database, "one", OVER, version="1")
    await activated(database, "2")

    old, new = (
        await claimed(database, "two", version="1"),
        await claimed(database, "three", version="2"),
    )

    assert old == []
    assert [run.version for run in new] == ["2"]


async def test_deploying_twice_is_deploying_once(database: Database) -> None:
    await activated(database, "1")
    for _ in range(2):
        await ramped(database, "2", 10)
        await ramped(database, "2", 10)
    for _ in range(2):
        deployment = await activated(database, "2")

    async with database.reading() as tx:
        assert await versions.load(tx) == deployment
    assert (deployment.active, deployment.ramp) == ("2", None)
    steps = [(change.active, change.ramp) for change in deployment.history]
    assert steps == [("1", None), ("1", Ramp("2", 10)), ("2", None)]


async def test_a_ramp_to_zero_or_to_the_active_version_is_none(database: Database) -> None:
    await activated(database, "1")
    await ramped(database, "2", 10)

    ended = await ramped(database, "2", 0)
    pointless = await ramped(database, "1", 50)

    assert ended == pointless
    assert ended.ramp is None


async def test_there_is_no_ramp_without_an_active_version(database: Database) -> None:
    with pytest.raises(NotDeployed):
        await ramped(database, "2", 10)

    async with database.reading() as tx:
        assert await versions.load(tx) is None


async def test_deployments_at_once_are_all_remembered(database: Database) -> None:
    await asyncio.gather(*(activated(database, str(number)) for number in range(8)))

    async with database.reading() as tx:
        deployment = await versions.load(tx)

    assert deployment is not None
    assert {change.active for change in deployment.history} == {str(n) for n in range(8)}
    assert deployment.history[-1].active == deployment.active


async def test_history_is_kept_within_bounds(database: Database) -> None:
    for number in range(versions.REMEMBERED + 5):
        deployment = await activated(database, str(number))

    assert len(deployment.history) == versions.REMEMBERED


async def test_a_version_drains_and_is_drained(database: Database, connection: Connection) -> None:
    await requested(database, connection)
    await joined(database, "1")
    (run,) = await claimed(database, "w1", version="1")
    before = await fleets(database)
    await activated(database, "2")
    draining = await fleets(database)
    async with database.transaction() as tx:
        await runs.release(tx, run.id, run.attempt)
    drained = await fleets(database)

    assert before == {"1": (Role.SERVING, 1, 1, 0)}
    assert draining == {"1": (Role.DRAINING, 1, 1, 0), "2": (Role.ACTIVE, 0, 0, 0)}
    assert drained == {"1": (Role.DRAINED, 1, 0, 0), "2": (Role.ACTIVE, 0, 0, 1)}


async def test_what_waits_is_counted_where_it_will_go(
    database: Database, queued: dict[RunId, int]
) -> None:
    await activated(database, "1")
    await ramped(database, "2", 50)

    seen = await fleets(database)

    share = sum(bucket < 50 for bucket in queued.values())
    assert seen == {
        "1": (Role.ACTIVE, 0, 0, RUNS - share),
        "2": (Role.RAMPING, 0, 0, share),
    }


async def test_a_version_that_nobody_works_for_strands_nothing(
    database: Database, queued: dict[RunId, int]
) -> None:
    await joined(database, "1")
    await activated(database, "2")

    before = await taken(database, "1")
    await joined(database, "2")

    assert before == set(queued)
    assert len(await misplaced(database, "w", "1")) == 4  # as many as there is room for
    assert await misplaced(database, "w", "2") == set()


async def test_nothing_is_handed_over_to_a_version_without_a_worker(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    await joined(database, "1")
    (run,) = await claimed(database, "w1", version="1")
    await activated(database, "2")
    alone = await misplaced(database, "w1", "1")
    async with database.transaction() as tx:
        await register(tx, name="w2", version="2", host="h", pid=1, slots=1)
        await beat(tx, "w2", draining=True, held=0)
    draining = await misplaced(database, "w1", "1")
    async with database.transaction() as tx:
        await beat(tx, "w2", draining=False, held=1)
    full = await misplaced(database, "w1", "1")
    async with database.transaction() as tx:
        await beat(tx, "w2", draining=False, held=0)

    assert (alone, draining, full) == (set(), set(), set())
    assert await misplaced(database, "w1", "1") == {run.id}


async def test_an_attempt_is_another_versions_from_its_claim_until_it_is_let_go(
    database: Database, connection: Connection
) -> None:
    await requested(database, connection)
    (run,) = await claimed(database, "w1", version="1")
    attempt = run.id, run.attempt

    async with database.transaction() as tx:
        assert await runs.of_others(tx, [attempt], version="1") == set()
        assert await runs.of_others(tx, [attempt], version="2") == {attempt}
        await runs.release(tx, *attempt)
        assert await runs.of_others(tx, [attempt], version="2") == set()
