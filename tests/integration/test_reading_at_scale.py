"""An ingestion of some size, read by a provider that errs, answers rubbish and goes away."""

import os
from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from connectors.memory import MemoryConnector, Notes, memory_spec
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import open_thinking
from storage import runs
from storage.database import Database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT, RunId
from storage.money import usage
from storage.runs import Run
from tests.ingesting import House, open_house
from tests.mockprovider import UNLIMITED, Mock

ARTIFACTS = "HEADWATER_TEST_ARTIFACTS"
"""How many are read; 2,000 take a minute on each database: ``HEADWATER_TEST_ARTIFACTS=2000``."""

MOST_WAITS = 10
MOST_RUNS = 3


@pytest.fixture
def size() -> int:
    return int(os.environ.get(ARTIFACTS, "240"))


@pytest.fixture
async def house(
    database: Database, redis: Redis, redis_url: str, mock: Mock, size: int
) -> AsyncGenerator[House]:
    letters = {f"letter {number:04}": _letter(number) for number in range(size)}
    spec = memory_spec(Notes(letters), lambda source: MemoryConnector(source, page=100))
    settings = ModelSettings.model_validate(
        {"key": "any", "base_url": mock.url, "model": "mock-small", "concurrency": 16}
    )
    async with (
        open_thinking(settings, redis_url=redis_url) as thinking,
        open_house(database, spec, thinking=thinking) as house,
    ):
        yield house


async def test_errors_rubbish_and_an_outage_lose_nothing_and_cost_nothing_twice(
    house: House, mock: Mock, size: int
) -> None:
    outage = {"start": 0, "seconds": 1.5, "after_calls": size // 6}
    await mock.become(**UNLIMITED, errors_500=0.02, garbage=0.01, outages=[outage])

    done = await _read_all(house)

    account = await mock.account()
    async with house.services.database.reading() as tx:
        used = [row for run in done for row in await usage.of_run(tx, LOCAL_TENANT, run.id)]
    first, last = done[0], done[-1]
    assert last.status is RunStatus.SUCCEEDED
    assert all(run.counts.adds_up for run in done)
    assert (first.counts.found, first.counts.processed) == (size, size)
    assert (first.counts.failed, last.counts.unread, last.counts.unproved) == ({}, {}, 0)
    assert account["statuses"]["503"] > 0
    assert (account["items"], account["items_again"]) == (size, 0)
    calls = sum(run.counts.model_calls for run in done)
    assert calls == sum(row.calls for row in used) == account["answers"]


async def _read_all(house: House) -> list[Run]:
    """A letter to which the answer is rubbish twice running is left for the next run, by chance."""
    connection = await house.connect("memory", {})
    done: list[Run] = []
    while not done or (done[-1].counts.unread and len(done) < MOST_RUNS):
        done.append(await _ingested(house, await house.request(connection)))
    return done


async def _ingested(house: House, run_id: RunId) -> Run:
    for _ in range(MOST_WAITS):
        await house.attempt(await house.claim())
        run = await house.run(run_id)
        if run.status is not RunStatus.WAITING:
            break
        async with house.services.database.transaction() as tx:
            await runs.wake(tx, run=run_id)
    return run


def _letter(number: int) -> bytes:
    """Every third is too long to share a call."""
    lines = [f"Letter {number} says that boat {number} is due on day {number % 28 + 1}."]
    lines += [
        f"Line {line} of it tells of cargo {number * line}." for line in range(number % 3 * 20)
    ]
    return "\n".join(lines).encode()
