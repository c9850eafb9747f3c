"""The records that components see: in memory for their tests, in SQL for their runs."""

from collections.abc import AsyncGenerator

import pytest

from connectors.artifact import FailureClass
from pipelines.errors import Explanation
from pipelines.journal import Step
from pipelines.ledger import Entry
from pipelines.records import MemoryRecords, Records, Settled
from pipelines.runtime import Work, open_work
from storage import runs
from storage.database import Database
from storage.errors import AttemptFenced
from storage.events import EventKind
from storage.ids import LOCAL_TENANT
from tests.ingesting import House, open_house

KEYS = [f"{number:064x}" for number in range(1_200)]
FAILURE = Explanation(FailureClass.MALFORMED, "It is torn.", "Mend it.")


@pytest.fixture
async def house(database: Database) -> AsyncGenerator[House]:
    async with open_house(database) as house:
        yield house


@pytest.fixture
async def work(house: House) -> AsyncGenerator[Work]:
    async with house.services.database.transaction() as tx:
        await runs.ask(tx, LOCAL_TENANT, workflow="sort", title="Sort", input={})
    run = await house.claim()
    async with open_work(house.services, run.id, run.attempt) as work:
        await work.journal.commit(_begin)
        yield work


async def _begin(step: Step) -> None:
    step.tell(EventKind.STARTED)


@pytest.fixture(params=["memory", "sql"])
def records(request: pytest.FixtureRequest, work: Work) -> Records:
    return MemoryRecords() if request.param == "memory" else work.context.records


async def test_what_is_kept_is_found_and_the_first_result_stays(records: Records) -> None:
    await records.keep(KEYS[0], Entry("cut", {"n": 1}))
    await records.keep(KEYS[0], Entry("cut", {"n": 2}))
    await records.keep(KEYS[1], Entry("cut", None))

    assert await records.kept(KEYS) == {KEYS[0]: {"n": 1}, KEYS[1]: None}
    assert await records.kept([]) == {}


async def test_what_is_settled_stays_as_it_is(records: Records) -> None:
    await records.settle({KEYS[0]: Settled(component="cut", value=[1])})
    await records.settle({KEYS[0]: Settled(component="cut", failure=FAILURE)})
    await records.settle({KEYS[1]: Settled(component="cut", failure=FAILURE)})

    found = await records.settled(KEYS[:3])

    assert {key: (each.value, each.failure) for key, each in found.items()} == {
        KEYS[0]: ([1], None),
        KEYS[1]: (None, FAILURE),
    }


async def test_many_are_settled_in_one_call(records: Records) -> None:
    await records.settle({key: Settled(component="cut", value=key) for key in KEYS})

    found = await records.settled(KEYS)

    assert {key: each.value for key, each in found.items()} == {key: key for key in KEYS}


async def test_each_item_is_counted_once_however_often_it_is_settled(
    house: House, work: Work
) -> None:
    records = work.context.records
    for _ in range(2):
        await records.settle({KEYS[0]: Settled(component="cut", value=1)})
        await records.settle({KEYS[1]: Settled(component="cut", failure=FAILURE, title="p. 3")})
        await records.settle({KEYS[2]: Settled(component="cut", new=False)})

    counts = (await house.run(work.run.id)).counts

    assert (counts.found, counts.processed, counts.unchanged) == (3, 1, 1)
    assert (counts.failed, counts.adds_up) == ({"malformed": 1}, True)
    told = [each.data for each in await house.events(work.run.id) if each.kind == "item.failed"]
    assert [each["title"] for each in told] == ["p. 3"]


async def test_an_attempt_that_was_taken_over_settles_and_keeps_nothing(
    house: House, work: Work
) -> None:
    async with house.services.database.transaction() as tx:
        await runs.release(tx, work.run.id, work.run.attempt)
    await house.claim()

    with pytest.raises(AttemptFenced):
        await work.context.records.settle({KEYS[0]: Settled(component="cut", value=1)})
    with pytest.raises(AttemptFenced):
        await work.context.records.keep(KEYS[0], Entry("cut", 1))

    assert await work.context.records.kept(KEYS[:1]) == {}
