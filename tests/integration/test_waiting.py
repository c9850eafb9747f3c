"""An ingestion that must wait lets its worker go, and then goes on from where it was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from connectors.artifact import PartitionKey
from connectors.connector import Plan
from connectors.events import Cursor
from connectors.events import Event as Said
from connectors.memory import MemoryConnector
from pipelines.errors import MustWait
from pipelines.flows.steps import Plain
from storage import runs
from storage.database import Database
from storage.events import EventKind, RunStatus, WaitingReason
from storage.ids import RunId
from tests.ingesting import House, notes, open_house

NAMES = tuple(f"note {number:02}" for number in range(30))
PAST = datetime(2026, 1, 1, tzinfo=UTC)


class Limited(MemoryConnector):
    """Asks for a long pause in the middle of its listing, as long as it is told to be blind."""

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Said]:
        async for event in MemoryConnector.read(self, partition, cursor):
            yield event
            cursor = getattr(event, "cursor", None)
            if self.source.blind and getattr(cursor, "after", "") > "note 15":
                raise limited()


class Locked(MemoryConnector):
    """Does not let anybody in."""

    async def plan(self) -> Plan:
        raise MustWait(
            WaitingReason.REAUTHORIZATION, "Access was taken.", action="Connect again.", until=None
        )


def limited() -> MustWait:
    return MustWait(
        WaitingReason.RATE_LIMITED, "Too much for today.", action="Nothing to do.", until=PAST
    )


async def test_a_long_wait_lets_the_worker_go_and_what_was_found_is_read_first(
    database: Database,
) -> None:
    source, spec = notes(*NAMES, connector=Limited)
    source.blind = True
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))

        outcome = await house.attempt(await house.claim())

        waits = await house.run(run_id)
        state = await house.state(run_id)
        assert outcome.status is RunStatus.WAITING
        assert (waits.status, waits.worker, waits.waits_until) == (RunStatus.WAITING, None, PAST)
        assert waits.counts.found == waits.counts.processed == 18
        assert state["reason"] == {
            "code": "rate_limited",
            "message": "Too much for today.",
            "action": "Nothing to do.",
            "until": PAST.isoformat(),
        }


async def test_it_goes_on_from_its_checkpoint_under_the_same_id(database: Database) -> None:
    source, spec = notes(*NAMES, connector=Limited)
    source.blind = True
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))
        await house.attempt(await house.claim())
        source.blind = False

        await house.attempt(await house.claim())

        run = await house.run(run_id)
        story = await house.kinds(run_id)
        assert (run.status, run.attempt, run.tries) == (RunStatus.SUCCEEDED, 2, 1)
        assert run.counts.found == run.counts.processed == len(NAMES)
        assert story.count(EventKind.WAITING) == story.count(EventKind.REQUEUED) == 1
        assert EventKind.ATTEMPT_LOST not in story


class OutOfBudget(Plain):
    """One batch may be read, and then nothing more."""

    async def batch(self, number: int) -> None:
        if number > 1:
            raise MustWait(WaitingReason.BUDGET, "It is spent.", action="Raise it.", until=None)
        await Plain.batch(self, number)


async def test_who_waits_for_a_budget_goes_on_when_it_is_raised(database: Database) -> None:
    _, spec = notes(*NAMES)
    async with open_house(database, spec) as house:
        run_id = await house.request(await house.connect("memory", {}))
        await house.attempt(await house.claim(), OutOfBudget)
        waits = await house.run(run_id)

        assert await woken(house, WaitingReason.DISK) == []
        assert await woken(house, WaitingReason.BUDGET) == [run_id]
        await house.attempt(await house.claim())

        run = await house.run(run_id)
        assert 0 < waits.counts.processed < len(NAMES)
        assert run.counts.found == run.counts.processed == len(NAMES)


async def test_a_source_that_nobody_may_enter_waits_for_its_user(database: Database) -> None:
    _, spec = notes(*NAMES, connector=Locked)
    async with open_house(database, spec) as house:
        run = await house.ingest(await house.connect("memory", {}))

        assert run.status is RunStatus.WAITING
        assert run.reason is not None
        assert (run.reason["code"], run.reason["action"]) == ("reauthorization", "Connect again.")


async def woken(house: House, reason: WaitingReason) -> list[RunId]:
    async with house.services.database.transaction() as tx:
        return await runs.wake(tx, reason=reason)
