"""One artifact kills every process that reads it: it is found, left out, and told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from connectors.memory import MemoryConnector
from pipelines.flows.ingestion import Ingestion
from pipelines.flows.steps import Plain
from storage.database import Database
from storage.events import EventKind, RunStatus
from storage.ids import RunId
from tests.ingesting import House, notes, open_house

NAMES = tuple(f"note {number:03}" for number in range(120))
MANY = 25  # attempts: three deaths, and one for each halving of a batch


class Dies(Exception):
    """Stands for the process: nothing after it happens."""


@dataclass(frozen=True, slots=True)
class Deadly(Plain):
    """The process ends when it reads one of these."""

    deadly: frozenset[str] = frozenset({"note 042"})

    async def batch(self, number: int) -> None:
        rows = self.ingestion.batches[number]
        if any(row.external_id in self.deadly for row in rows):
            raise Dies
        await Plain.batch(self, number)


async def played(house: House, run_id: RunId, steps: Callable[[Ingestion], Plain]) -> int:
    """Attempt after attempt, each lost when it dies. Answers how many it took."""
    for number in range(1, MANY + 1):
        try:
            await house.attempt(await house.claim(lease=timedelta(0)), steps)
        except Dies:
            continue
        if (await house.run(run_id)).finished_at is not None:
            return number
    raise AssertionError("it came to no end")


async def test_the_artifact_that_kills_is_left_out_and_the_rest_is_done(
    database: Database,
) -> None:
    _, spec = notes(*NAMES, connector=partial(MemoryConnector, page=100))
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))

        attempts = await played(house, run_id, Deadly)

        run = await house.run(run_id)
        events = await house.events(run_id)
        [told] = [event for event in events if event.kind is EventKind.ITEM_FAILED]
        assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES
        assert run.counts.failed == {"poison": 1}
        assert run.counts.processed == len(NAMES) - 1
        assert run.counts.adds_up
        assert told.data["title"] == "note 042"
        assert "ended the worker" in told.data["detail"]
        assert "retry what failed" in told.data["action"]
        assert attempts <= 12
        assert (run.deaths, run.in_hand) == (0, ())


async def test_two_that_kill_are_both_found(database: Database) -> None:
    _, spec = notes(*NAMES, connector=partial(MemoryConnector, page=100))
    two = partial(Deadly, deadly=frozenset({"note 042", "note 111"}))
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))

        await played(house, run_id, two)

        run = await house.run(run_id)
        assert run.counts.failed == {"poison": 2}
        assert run.counts.processed == len(NAMES) - 2


@dataclass(frozen=True, slots=True)
class DiesTwice(Plain):
    """Chance: the machine is restarted twice."""

    deaths: list[int]

    async def batch(self, number: int) -> None:
        if len(self.deaths) < 2:
            self.deaths.append(number)
            raise Dies
        await Plain.batch(self, number)


async def test_chance_leaves_nothing_out(database: Database) -> None:
    _, spec = notes(*NAMES)
    deaths: list[int] = []
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))

        def steps(ingestion: Ingestion) -> DiesTwice:
            return DiesTwice(ingestion, deaths)

        attempts = await played(house, run_id, steps)

        run = await house.run(run_id)
        assert attempts == 3
        assert run.status is RunStatus.SUCCEEDED
        assert run.counts.processed == len(NAMES)
