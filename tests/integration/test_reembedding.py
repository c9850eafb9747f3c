"""Another embedding model, as an operator changes it: a worker is started with its name."""

from collections import Counter

import pytest
from sqlalchemy import func, select

from storage import indexes
from storage.database import Database
from storage.indexes import LOCAL, Index
from storage.tables import embeddings
from tests.marks import on_postgresql
from tests.mockprovider import UNLIMITED, Mock
from tests.sites import Site
from tests.waiting import wait_until
from tests.working import ask_for, finished

pytestmark = pytest.mark.timeout(240)

FILES = 300
WANTED = Index("mock-embedding", 256)
AFTER_ONE_BATCH = {"start": 0, "seconds": 3_600, "after_calls": 2, "status": 401}
"""The first call asks how long the model's vectors are; then the key is revoked."""


@on_postgresql
async def test_the_old_vectors_serve_until_all_new_ones_are_there_and_none_is_paid_twice(
    site: Site, mock: Mock
) -> None:
    with site.worker("before"):
        run = await finished(site.database, await ask_for(site.database, site.source(FILES)))
    chunks = run.counts.chunks
    provider = {
        "OPENAI_API_KEY": "any",
        "OPENAI_BASE_URL": mock.url,
        "HEADWATER_MODEL": "mock-small",
        "HEADWATER_EMBEDDING_MODEL": WANTED.model,
    }
    await mock.become(**UNLIMITED, outages=[AFTER_ONE_BATCH])
    with site.worker("killed", **provider) as worker:
        await wait_until(lambda: worker.says("index.waits"), within_seconds=90)
        partly = await vectors(site.database)
        between = await serving(site.database)
    paid = await mock.account()
    await mock.become(**UNLIMITED)

    with site.worker("after", **{**provider, "OPENAI_API_KEY": "another"}):
        await wait_until(lambda: is_serving(site.database), within_seconds=90)

    assert between == LOCAL
    assert partly[LOCAL.model] == chunks
    assert 0 < partly[WANTED.model] < chunks
    assert await vectors(site.database) == {WANTED.model: chunks}
    later = await mock.account()
    measured = 2  # each worker asks once how long the vectors are
    assert paid["texts"] + later["texts"] - measured == chunks
    assert paid["texts_again"] == later["texts_again"] == 0


async def vectors(database: Database) -> Counter[str]:
    """How many there are of each model."""
    query = select(embeddings.c.model, func.count()).group_by(embeddings.c.model)
    async with database.reading() as tx:
        rows = (await tx.execute(query)).all()
        return Counter({str(model): int(number) for model, number in rows})


async def serving(database: Database) -> Index:
    async with database.reading() as tx:
        return await indexes.serving(tx)


async def is_serving(database: Database) -> bool:
    """With the old vectors gone."""
    return await serving(database) == WANTED and len(await vectors(database)) == 1
