"""Real workers, a real Prefect server, a real Redis: what survives when a process does not."""

import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx
import pytest

from storage import embedded, runs, versions
from storage.database import Database
from storage.events import EventKind, RunStatus, State
from storage.ids import LOCAL_TENANT, RunId
from storage.streams.connect import open_redis
from storage.streams.redis import RedisEventLog
from storage.versions import Role
from tests.marks import on_postgresql, on_sqlite
from tests.prefect_fixtures import free_port, prefect_server
from tests.sites import Site
from tests.waiting import wait_until
from tests.working import ask_for, finished, kinds, look, processed

pytestmark = pytest.mark.timeout(240)

FILES = 400
MANY = 1_500  # they last long enough to be stopped in the middle


@on_postgresql
async def test_a_killed_workers_run_is_finished_by_another_with_exact_counts(site: Site) -> None:
    run_id = await ask_for(site.database, site.source(FILES))
    with site.worker("first") as first:
        await processed(site.database, run_id, 100)
        first.signal(signal.SIGKILL)

    with site.worker("second"):
        run = await finished(site.database, run_id)

        assert run.status is RunStatus.SUCCEEDED
        assert run.tries == 2
        assert run.counts.found == run.counts.processed == FILES
        assert (await kinds(site.database, run_id)).count(EventKind.ATTEMPT_LOST) == 1
        assert (await last_state(site, run_id))["counts"] == run.counts.to_json()
        await prefect_shows(site, run_id, {1: "Crashed", run.attempt: "Completed"})


@on_sqlite
async def test_a_terminated_worker_hands_its_run_over_and_ends_well(site: Site) -> None:
    run_id = await ask_for(site.database, site.source(FILES))
    with site.worker("first") as first:
        await processed(site.database, run_id, 100)
        first.signal(signal.SIGTERM)
        await wait_until(first.ended, within_seconds=40)
        handed_over = await look(site.database, run_id)

    with site.worker("second"):
        run = await finished(site.database, run_id)

    assert first.process.returncode == 0
    assert handed_over.status is RunStatus.QUEUED
    assert run.counts.found == run.counts.processed == FILES
    story = await kinds(site.database, run_id)
    assert EventKind.ATTEMPT_HANDED_OVER in story
    assert EventKind.ATTEMPT_LOST not in story


@on_sqlite
async def test_a_cancelled_run_stops_soon_and_keeps_what_is_indexed(site: Site) -> None:
    run_id = await ask_for(site.database, site.source(MANY))
    with site.worker("worker"):
        await processed(site.database, run_id, 100)
        async with site.database.transaction() as tx:
            await runs.cancel(tx, LOCAL_TENANT, run_id)
        run = await finished(site.database, run_id)

        assert run.status is RunStatus.CANCELLED
        assert 100 <= run.counts.processed < MANY


@on_postgresql
async def test_a_paused_run_goes_on_when_it_is_resumed(site: Site) -> None:
    run_id = await ask_for(site.database, site.source(MANY))
    with site.worker("worker"):
        await processed(site.database, run_id, 100)
        async with site.database.transaction() as tx:
            await runs.pause(tx, LOCAL_TENANT, run_id)
        await wait_until(partial(_is, site.database, run_id, RunStatus.PAUSED), within_seconds=60)
        async with site.database.transaction() as tx:
            await runs.resume(tx, LOCAL_TENANT, run_id)
        run = await finished(site.database, run_id)

        assert run.status is RunStatus.SUCCEEDED
        assert run.counts.found == run.counts.processed == MANY


# Wherever it is frozen, also within a transaction. SQLite's one write lock cannot be taken from a
# process that is frozen with it (docs/architecture.md), so there this would be a matter of chance.
@on_postgresql
async def test_a_frozen_worker_that_wakes_up_writes_nothing(site: Site) -> None:
    run_id = await ask_for(site.database, site.source(FILES))
    with site.worker("first") as first:
        await processed(site.database, run_id, 100)
        first.signal(signal.SIGSTOP)
        with site.worker("second"):
            run = await finished(site.database, run_id)
            story = await kinds(site.database, run_id)
            first.signal(signal.SIGCONT)
            await wait_until(partial(first.says, "dispatch.ended"), within_seconds=60)

    assert run.counts.found == run.counts.processed == FILES
    assert await look(site.database, run_id) == run
    assert await kinds(site.database, run_id) == story


@on_postgresql
async def test_a_run_goes_over_to_the_version_that_is_activated(site: Site) -> None:
    async with site.database.transaction() as tx:
        await versions.activate(tx, "1")
    patient = {"HEADWATER_WORKER_LEASE_SECONDS": "30"}  # a busy machine is no death here
    with site.worker("old", HEADWATER_VERSION="1", **patient) as old:
        # Before the other: as long as nobody works for a version, all may take what is its own.
        await wait_until(partial(old.says, "worker.ready"), within_seconds=90)
        with site.worker("new", HEADWATER_VERSION="2", **patient) as new:
            await wait_until(partial(new.says, "worker.ready"), within_seconds=90)
            run_id = await ask_for(site.database, site.source(MANY))
            await processed(site.database, run_id, 100)
            before = await look(site.database, run_id)
            async with site.database.transaction() as tx:
                await versions.activate(tx, "2")
            run = await finished(site.database, run_id)
            async with site.database.reading() as tx:
                fleets = {each.version: each for each in await versions.fleets(tx)}

    story = await kinds(site.database, run_id)
    assert (before.version, run.version, run.tries) == ("1", "2", 1)
    assert run.counts.found == run.counts.processed == MANY
    assert story.count(EventKind.ATTEMPT_HANDED_OVER) == 1
    assert EventKind.ATTEMPT_LOST not in story
    assert (fleets["1"].role, fleets["1"].workers) == (Role.DRAINED, 1)
    assert (fleets["2"].role, fleets["2"].workers) == (Role.ACTIVE, 1)


@on_sqlite
async def test_what_one_version_has_claimed_no_other_begins(site: Site) -> None:
    """All workers share Prefect's pool, which gives out what is in it to whoever comes first."""
    theirs = await ask_for(site.database, site.source(3))
    async with site.database.transaction() as tx:
        (claimed,) = await runs.claim(
            tx, worker="elsewhere", lease=timedelta(minutes=10), limit=1, version="2"
        )
    with site.worker("worker", HEADWATER_VERSION="1") as worker:
        await wait_until(partial(worker.says, "worker.ready"), within_seconds=90)
        await place(site, theirs, claimed.attempt)
        (another := site.folder / "another").mkdir()
        ours = await ask_for(site.database, another)
        await finished(site.database, ours)

        assert await look(site.database, theirs) == claimed


@on_sqlite
async def test_a_run_waits_for_prefect_and_starts_when_it_is_there(site: Site) -> None:
    port = free_port()
    run_id = await ask_for(site.database, site.source(3))
    with site.worker("worker", PREFECT_API_URL=f"http://127.0.0.1:{port}/api") as worker:
        await wait_until(partial(worker.says, "waiting_for_prefect"), within_seconds=60)

        assert (await look(site.database, run_id)).status is RunStatus.QUEUED

        (site.folder / "server").mkdir()
        with prefect_server(site.folder / "server", port=port):
            run = await finished(site.database, run_id)

    assert run.status is RunStatus.SUCCEEDED


@on_sqlite
async def test_a_run_goes_on_while_prefect_is_away_and_the_next_one_waits_for_it(
    site: Site,
) -> None:
    port, home = free_port(), site.folder / "server"
    home.mkdir()
    run_id = await ask_for(site.database, site.source(FILES))
    with site.worker("worker", PREFECT_API_URL=f"http://127.0.0.1:{port}/api"):
        with prefect_server(home, port=port):
            await processed(site.database, run_id, 100)
        run = await finished(site.database, run_id)
        next_id = await ask_for(site.database, site.folder / "source")
        with prefect_server(home, port=port):
            next_run = await finished(site.database, next_id)

    assert run.tries == 1
    assert run.counts.found == run.counts.processed == FILES
    assert next_run.counts.unchanged == FILES


@on_sqlite
async def test_a_run_goes_on_while_redis_is_away_and_its_end_is_told_later(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    redis = await embedded.ensure(tmp_path_factory.mktemp("redis"))
    there = replace(site, redis_url=redis.url)
    run_id = await ask_for(site.database, site.source(FILES))
    with site.worker("worker", HEADWATER_REDIS_URL=redis.url):
        await processed(site.database, run_id, 100)
        await redis.stop()
        run = await finished(site.database, run_id)
        await redis.start()

        told = await last_state(there, run_id)
    await redis.stop()

    assert run.tries == 1
    assert run.counts.found == run.counts.processed == FILES
    assert told["status"] == "succeeded"
    assert told["counts"] == run.counts.to_json()


@on_sqlite
async def test_a_failed_run_is_failed_in_prefect_too(site: Site) -> None:
    run_id = await ask_for(site.database, site.folder / "nowhere")
    with site.worker("worker"):
        run = await finished(site.database, run_id)

        await prefect_shows(site, run_id, {run.attempt: "Failed"})

    assert run.reason is not None
    assert run.reason["code"] == "source_missing"


@on_sqlite
async def test_a_worker_without_redis_says_what_to_do(site: Site) -> None:
    with site.worker("worker", HEADWATER_REDIS_URL="") as worker:
        await wait_until(worker.ended, within_seconds=30)

    assert worker.process.returncode == 1
    assert worker.says("Set HEADWATER_REDIS_URL")


@on_sqlite
async def test_a_second_signal_ends_a_worker_at_once(site: Site) -> None:
    run_id = await ask_for(site.database, site.source(FILES))
    with site.worker("worker") as worker:
        await processed(site.database, run_id, 1)
        worker.signal(signal.SIGTERM)
        worker.signal(signal.SIGINT)

        await wait_until(worker.ended, within_seconds=10)


async def place(site: Site, run_id: RunId, attempt: int) -> None:
    """Make a flow run for the attempt, as the worker does that has claimed it."""
    async with httpx.AsyncClient(trust_env=False, base_url=site.prefect_url) as http:
        shell = (await http.get("/deployments/name/ingest/headwater")).json()
        wish = {
            "parameters": {"run_id": str(run_id), "attempt": attempt},
            "idempotency_key": f"{run_id}:{attempt}",
        }

        async def placed() -> bool:  # a server that has just begun may answer 503
            path = f"/deployments/{shell['id']}/create_flow_run"
            return (await http.post(path, json=wish)).is_success

        await wait_until(placed, within_seconds=60)


async def prefect_shows(site: Site, run_id: RunId, states: Mapping[int, str]) -> None:
    """Wait until the run's flow runs are in these states, by attempt.

    Numbers are left out where the server, busy with something else, could not take one: 503.
    """
    async with httpx.AsyncClient(trust_env=False, base_url=site.prefect_url) as http:

        async def shown() -> bool:
            found = (await http.post("/flow_runs/filter", json={})).json()
            ours = [each for each in found if each["parameters"].get("run_id") == str(run_id)]
            return states == {each["parameters"]["attempt"]: each["state"]["name"] for each in ours}

        await wait_until(shown, within_seconds=60)


async def last_state(site: Site, run_id: RunId) -> State:
    """What the stream's readers end with."""
    async with open_redis(site.redis_url) as redis:
        log = RedisEventLog(redis)

        async def ended() -> bool:
            snapshot = await log.snapshot(run_id)
            return snapshot is not None and snapshot.ended

        await wait_until(ended)
        snapshot = await log.snapshot(run_id)
    assert snapshot is not None
    return snapshot.state


async def _is(database: Database, run_id: RunId, status: RunStatus) -> bool:
    return (await look(database, run_id)).status is status
