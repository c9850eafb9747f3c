"""Vectors by a provider's model: made in runs and in the background, asked for by searches."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from pipelines.answering import Answering
from pipelines.context import StoppedClock
from pipelines.errands import NO_RUN
from pipelines.errors import MustWait
from pipelines.llm.errors import ModelError, ModelUnknown, ProviderDown, VectorsInvalid
from pipelines.llm.gateway import EmbeddingCall, Embeddings, Provenance, Usage
from pipelines.llm.retrying import RetryBudget
from pipelines.llm.scripted import ScriptedGateway, reads
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import Thinking, open_thinking
from pipelines.reindexing import Reindexer
from storage import artifacts, indexes, runs
from storage.database import Database
from storage.embedding import StaticEmbedder
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT
from storage.indexes import LOCAL, Index
from storage.money import Price, Prices, usage
from storage.queries import Queries
from storage.search import Searcher
from storage.tables import embeddings
from tests.ingesting import notes, open_house
from tests.marks import on_sqlite
from tests.mockprovider import UNLIMITED, Mock

PRICES = Prices({"v": Price(1_000, 0, 0), "m": Price(1, 1, 1)}, "a test", "2026-11-25")


def thinking(gateway: ScriptedGateway, model: str | None = "v") -> Thinking:
    clock = StoppedClock()
    return Thinking(
        gateway=gateway,
        model="m",
        prices=PRICES,
        retries=RetryBudget(clock),
        clock=clock,
        embedding_model=model,
    )


async def models(database: Database) -> dict[tuple[str, int], int]:
    """How many vectors there are of each model and dimension."""
    kinds = (embeddings.c.model, embeddings.c.dimension)
    async with database.reading() as tx:
        rows = await tx.execute(select(*kinds, func.count()).group_by(*kinds))
        return {(model, dimension): number for model, dimension, number in rows}


async def serving(database: Database) -> Index:
    async with database.reading() as tx:
        return await indexes.serving(tx)


def failing(error: type[ModelError], *, on: str) -> ScriptedGateway:
    """Cannot embed a batch with this word in it."""
    plain = ScriptedGateway()
    plain.vectors = lambda call: (
        error("It went wrong", model="v")
        if any(on in text for text in call.texts)
        else rows_of(call, 8)
    )
    plain.otherwise = reads
    return plain


def rows_of(call: EmbeddingCall, dimension: int) -> Embeddings:
    rows = np.ones((len(call.texts), dimension), dtype=np.float32)
    return Embeddings(rows, Provenance(model=call.model, usage=Usage(input=len(call.texts))))


async def test_changing_the_model_embeds_anew_while_the_old_index_serves(
    database: Database,
) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes("ant", "bee", "cat")
    async with open_house(database, spec) as house:
        connection = await house.connect("memory", {})
        await house.ingest(connection)
    before = await models(database)

    async with open_house(database, spec, thinking=thinking(gateway)) as house:
        run = await house.ingest(connection)
        between = await models(database), await serving(database)
        made = await Reindexer(house.services).make()
        async with database.reading() as tx:
            used = await usage.of_run(tx, LOCAL_TENANT, NO_RUN)

    assert run.status is RunStatus.SUCCEEDED
    assert before == between[0] == {("wordllama-l2-256", 256): 3}
    assert between[1] == LOCAL
    assert made == await serving(database) == Index("v", 8)
    assert await models(database) == {("v", 8): 3}
    assert [(row.component, row.calls) for row in used] == [("embed", 2)]
    assert used[0].cost_nanos > 0


async def test_an_ingestion_embeds_with_the_model_that_serves_and_counts_what_it_took(
    database: Database,
) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes(*(f"note {number}" for number in range(30)))
    async with open_house(database, spec, thinking=thinking(gateway)) as house:
        await Reindexer(house.services).make()
        run = await house.ingest(await house.connect("memory", {}))
        async with database.reading() as tx:
            used = await usage.of_run(tx, LOCAL_TENANT, run.id)

    calls = {row.component: row.calls for row in used}
    assert await models(database) == {("v", 8): 30}
    assert run.counts.embedded == 30
    assert calls["embed"] == len(gateway.embedded) - 1
    assert calls["embed"] < 10


@on_sqlite
async def test_a_vector_that_is_wrong_leaves_its_artifact_to_its_words_and_says_why(
    database: Database,
) -> None:
    _, spec = notes("ant", "bee", "cat", "dog")
    gateway = failing(VectorsInvalid, on="bee")
    async with open_house(database, spec, thinking=thinking(gateway)) as house:
        await Reindexer(house.services).make()
        connection = await house.connect("memory", {})
        run = await house.ingest(connection)
        async with database.reading() as tx:
            rows = await artifacts.page(
                tx, LOCAL_TENANT, connection.id, run=None, status=None, after=None, limit=9
            )

    readings = {row.title: row.reading or {} for row in rows}
    assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES
    assert run.counts.unread == {"vectors_invalid": 1}
    assert run.counts.adds_up
    assert await models(database) == {("v", 8): 3}
    assert readings["bee"]["unembedded"]["action"] == VectorsInvalid.action
    assert readings["bee"]["model"] == "m"
    assert "unembedded" not in readings["cat"]


@on_sqlite
async def test_a_model_that_changes_its_dimension_is_found_out(database: Database) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes("ant")
    async with open_house(database, spec, thinking=thinking(gateway)) as house:
        await Reindexer(house.services).make()
        gateway.vectors = lambda call: rows_of(call, 9)
        run = await house.ingest(await house.connect("memory", {}))

    assert run.counts.unread == {"vectors_invalid": 1}
    assert await models(database) == {}


@on_sqlite
async def test_what_was_read_is_not_paid_again_when_the_vectors_have_to_wait(
    database: Database,
) -> None:
    gateway = ScriptedGateway(otherwise=reads)
    _, spec = notes("ant", "bee")
    async with open_house(database, spec, thinking=thinking(gateway)) as house:
        await Reindexer(house.services).make()
        gateway.vectors = lambda _: ProviderDown("away", model="v")
        run_id = await house.request(await house.connect("memory", {}))
        await house.attempt(await house.claim())
        waiting = await house.run(run_id)
        asked = len(gateway.asked)
        gateway.vectors = None
        async with database.transaction() as tx:
            await runs.wake(tx, run=run_id)
        await house.attempt(await house.claim())
        run = await house.run(run_id)

    assert waiting.reason is not None
    assert (waiting.status, waiting.reason["code"]) == (RunStatus.WAITING, "provider_down")
    assert waiting.counts.processed == 0
    assert (run.status, run.counts.processed) == (RunStatus.SUCCEEDED, 2)
    assert asked == len(gateway.asked) > 0


@on_sqlite
async def test_vectors_that_came_before_the_provider_went_away_are_not_paid_again(
    database: Database,
) -> None:
    gateway, paid = ScriptedGateway(otherwise=reads), Counter[str]()
    source, spec = notes()
    source.notes |= {name: f"It is about {name}. ".encode() * 1_000 for name in "abcdefgh"}

    def going_away(call: EmbeddingCall) -> Embeddings | ModelError:
        if any("about h" in text for text in call.texts):
            return ProviderDown("away", model="v")
        return pay(call)

    def pay(call: EmbeddingCall) -> Embeddings:
        paid.update({text.partition("about ")[2][:1] for text in call.texts})
        return rows_of(call, 8)

    async with open_house(database, spec, thinking=thinking(gateway)) as house:
        await Reindexer(house.services).make()
        gateway.vectors = going_away
        run_id = await house.request(await house.connect("memory", {}))
        await house.attempt(await house.claim())
        waiting = await house.run(run_id)
        gateway.vectors = pay
        async with database.transaction() as tx:
            await runs.wake(tx, run=run_id)
        await house.attempt(await house.claim())
        run = await house.run(run_id)

    assert waiting.status is RunStatus.WAITING
    assert 0 < waiting.counts.processed < 8
    assert (run.status, run.counts.processed) == (RunStatus.SUCCEEDED, 8)
    assert paid.keys() == set("abcdefgh")
    # One whose parts were in two calls, of which only one was answered, is asked about again.
    assert sum(paid.values()) <= 9


@on_sqlite
async def test_without_the_key_the_index_is_made_here_again(database: Database) -> None:
    _, spec = notes("ant", "bee")
    embedding = thinking(ScriptedGateway(otherwise=reads))
    async with open_house(database, spec, thinking=embedding) as house:
        await Reindexer(house.services).make()
        await house.ingest(await house.connect("memory", {}))
    before = await models(database)

    async with open_house(database, spec) as house:
        await Reindexer(house.services).make()

    assert before == {("v", 8): 2}
    assert await models(database) == {("wordllama-l2-256", 256): 2}
    assert await serving(database) == LOCAL


@on_sqlite
@pytest.mark.parametrize("kind", [ProviderDown, ModelUnknown])
async def test_the_old_index_serves_while_the_new_model_cannot_be_asked(
    database: Database, kind: type[ModelError]
) -> None:
    _, spec = notes("ant")
    async with open_house(database, spec, thinking=thinking(failing(kind, on=""))) as house:
        await house.ingest(await house.connect("memory", {}))
        with pytest.raises(MustWait):
            await Reindexer(house.services).make()

    assert await serving(database) == LOCAL
    assert await models(database) == {("wordllama-l2-256", 256): 1}


@on_sqlite
async def test_a_search_is_embedded_by_a_worker_through_the_provider(
    database: Database, redis: Redis, redis_url: str, mock: Mock
) -> None:
    await mock.become(**UNLIMITED)
    settings = ModelSettings.model_validate(
        {
            "key": "any",
            "base_url": mock.url,
            "model": "mock-small",
            "embedding_model": "mock-embedding",
        }
    )
    _, spec = notes("ant", "bee")
    queries = Queries(redis)
    searcher = Searcher(StaticEmbedder(), queries)
    async with (
        open_thinking(settings, redis_url=redis_url) as provider,
        open_house(database, spec, thinking=provider) as house,
    ):
        assert provider is not None
        await Reindexer(house.services).make()
        await house.ingest(await house.connect("memory", {}))
        answering = Answering(queries=queries, thinking=provider, database=database)
        async with at_work(answering):
            async with database.reading() as tx:
                first = await searcher.find(tx, LOCAL_TENANT, "ant\nThis note is about ant.")
            paid = (await mock.account())["statuses"]
            async with database.reading() as tx:
                again = await searcher.find(tx, LOCAL_TENANT, "ant\nThis note is about ant.")
        async with database.reading() as tx:
            rows = await usage.of_run(tx, LOCAL_TENANT, NO_RUN)

    assert first.by_meaning
    assert again == first
    assert (await mock.account())["statuses"] == paid
    assert {row.component: row.calls for row in rows} == {"embed": 1, "search": 1}
    assert [key for key in await redis.keys("hw:quer*") if await redis.ttl(key) < 0] == []


@asynccontextmanager
async def at_work(answering: Answering) -> AsyncGenerator[None]:
    task = asyncio.create_task(answering.serve())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
