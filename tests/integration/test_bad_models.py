"""What a user sees when a model provider answers badly or not at all: over HTTP, by the mock."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from pipelines.llm import errors
from pipelines.llm.errors import ModelError
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import open_thinking
from pipelines.reindexing import Reindexer
from storage import artifacts, receipts
from storage.connections import Connection
from storage.database import Database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT
from storage.receipts import Receipt
from storage.runs import Run
from tests.ingesting import House, notes, open_house
from tests.marks import on_sqlite
from tests.mockprovider import UNLIMITED, Mock

pytestmark = on_sqlite

Open = Callable[..., AbstractAsyncContextManager[House]]
EMBEDDING = {"embedding_model": "mock-embedding"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A run, its receipt, and the readings of its artifacts by name."""

    run: Run
    receipt: Receipt
    readings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])


@pytest.fixture
def house(database: Database, redis: Redis, redis_url: str, mock: Mock) -> Open:
    @asynccontextmanager
    async def opened(**settings: str) -> Any:
        said = {"key": "right", "base_url": mock.url, "model": "mock-small", **settings}
        _, spec = notes("ant")
        async with (
            open_thinking(ModelSettings.model_validate(said), redis_url=redis_url) as thinking,
            open_house(database, spec, thinking=thinking) as house,
        ):
            yield house

    return opened


async def ingested(house: House, connection: Connection | None = None) -> Seen:
    connection = connection or await house.connect("memory", {})
    run = await house.ingest(connection)
    async with house.services.database.reading() as tx:
        rows = await artifacts.page(
            tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=9
        )
        receipt = await receipts.receipt(tx, LOCAL_TENANT, run.id)
    assert receipt is not None
    return Seen(run, receipt, {row.title: row.reading or {} for row in rows})


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ({"refusals": 1}, errors.Refused),
        ({"empty": 1}, errors.AnswerMalformed),
        ({"truncated": 1}, errors.AnswerCut),
        ({"garbage": 1}, errors.AnswerMalformed),
        ({"wrong_schema": 1}, errors.AnswerMalformed),
    ],
)
async def test_an_answer_that_is_none_is_told_on_its_artifact(
    house: Open, mock: Mock, plan: Mapping[str, float], error: type[ModelError]
) -> None:
    await mock.become(**UNLIMITED, **plan)

    async with house() as there:
        seen = await ingested(there)

    code = error("", model="").code
    assert seen.run.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert (seen.run.counts.processed, seen.run.counts.unread) == (1, {code: 1})
    assert seen.run.counts.adds_up
    unread = seen.readings["ant"]["unread"]
    assert (unread["code"], unread["action"]) == (code, error.action)
    [told] = seen.receipt.unread
    assert (told.title, told.failure, told.action) == ("ant", code, error.action)
    assert seen.readings["ant"]["summary"] == "This note is about ant."


async def test_the_run_after_a_rubbish_answer_reads_what_that_was_about(
    house: Open, mock: Mock
) -> None:
    await mock.become(**UNLIMITED, garbage=1)

    async with house() as there:
        connection = await there.connect("memory", {})
        first = await ingested(there, connection)
        await mock.become(**UNLIMITED)
        second = await ingested(there, connection)

    assert first.run.counts.unread == {"answer_malformed": 1}
    assert second.run.status is RunStatus.SUCCEEDED
    assert (second.run.counts.processed, second.run.counts.unread) == (1, {})
    assert second.readings["ant"]["model"] == "mock-small"
    assert "unread" not in second.readings["ant"]


async def test_what_a_model_never_answers_well_is_paid_for_in_two_runs_and_no_more(
    house: Open, mock: Mock
) -> None:
    await mock.become(**UNLIMITED, garbage=1)

    async with house() as there:
        connection = await there.connect("memory", {})
        seen = [await ingested(there, connection) for _ in range(3)]

    assert [each.run.counts.model_calls for each in seen] == [2, 2, 0]
    assert [each.run.counts.unchanged for each in seen] == [0, 0, 1]
    assert seen[-1].readings["ant"]["unread"]["code"] == "answer_malformed"


@pytest.mark.parametrize(
    ("wrong", "error", "reason"),
    [
        ({"model": "retired"}, errors.ModelUnknown, "input"),
        ({"plan": {"key": "another"}}, errors.KeyRefused, "input"),
        ({"plan": {"refuse_all": "insufficient_quota"}}, errors.CreditExhausted, "budget"),
        ({"path": "/control"}, errors.AddressWrong, "input"),
    ],
)
async def test_what_only_the_account_s_owner_can_mend_is_what_the_run_waits_for(
    house: Open,
    mock: Mock,
    wrong: Mapping[str, Any],
    error: type[ModelError],
    reason: str,
) -> None:
    await mock.become(**UNLIMITED, **wrong.get("plan", {}))
    url = mock.url.removesuffix("/v1") + wrong.get("path", "/v1")

    async with house(base_url=url, model=wrong.get("model", "mock-small")) as there:
        seen = await ingested(there)

    told = seen.run.reason
    assert seen.run.status is RunStatus.WAITING
    assert told is not None
    assert (told["code"], told["action"]) == (reason, error.action)
    assert told["message"]
    assert "right" not in str(told)
    assert seen.run.counts.failed == {}


async def test_vectors_that_are_no_numbers_leave_artifacts_to_be_found_by_words(
    house: Open, mock: Mock
) -> None:
    await mock.become(**UNLIMITED)

    async with house(**EMBEDDING) as there:
        await Reindexer(there.services).make()
        await mock.become(**UNLIMITED, bad_vectors=1)
        seen = await ingested(there)

    assert seen.run.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert seen.run.counts.unread == {"vectors_invalid": 1}
    assert seen.readings["ant"]["unembedded"]["action"] == errors.VectorsInvalid.action
    assert [each.action for each in seen.receipt.unread] == [errors.VectorsInvalid.action]
    assert seen.readings["ant"]["model"] == "mock-small"


async def test_vectors_of_another_dimension_are_none(house: Open, mock: Mock) -> None:
    await mock.become(**UNLIMITED)

    async with house(**EMBEDDING) as there:
        await Reindexer(there.services).make()
        await mock.become(**UNLIMITED, dimension=64)
        seen = await ingested(there)

    assert seen.run.counts.unread == {"vectors_invalid": 1}
    assert "64 dimensions" in seen.readings["ant"]["unembedded"]["message"]
