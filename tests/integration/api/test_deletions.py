"""Saying over HTTP whether what a listing lacks is gone."""

from uuid import UUID, uuid4

import httpx
import pytest

from api import words
from api.client import AsyncClient
from storage import artifacts, deletions, runs
from storage.artifacts import NewArtifact, Ready
from storage.database import Database, Tx
from storage.deletions import Deletion, Doubt
from storage.ids import LOCAL_TENANT, RunId
from tests.serving import Served, Story


def note(name: str) -> NewArtifact:
    return NewArtifact(
        partition="files",
        external_id=f"file:{name}",
        kind="file",
        title=name,
        path=name,
        url=None,
        mime=None,
        size=1,
        version="1",
        digest="d" * 64,
        priority=2,
        meta={},
        created_at=None,
        updated_at=None,
    )


@pytest.fixture
async def deletion(database: Database, story: Story) -> Deletion:
    """Of the two artifacts that there are."""
    async with database.transaction() as tx:
        return await doubted(tx, story.run)


async def doubted(tx: Tx, run: RunId) -> Deletion:
    """Two artifacts of the run's connection are ready, and a listing lacked them."""
    row = await runs.find(tx, run)
    assert row is not None
    assert row.connection is not None
    connection = row.connection
    await artifacts.stage(tx, LOCAL_TENANT, connection, run, [note("a.md"), note("b.md")])
    staged = await artifacts.queue(tx, connection, limit=5)
    done = [
        Ready(id=each.id, digest="d" * 64, ready_key="k", title=each.title, reading={})
        for each in staged
    ]
    await artifacts.ready(tx, run, done)
    return await deletions.doubt(
        tx,
        LOCAL_TENANT,
        connection,
        "files",
        run=run,
        missing=["file:a.md", "file:b.md"],
        total=2,
        reason=Doubt.EVERYTHING,
    )


async def count(web: httpx.AsyncClient, connection: UUID) -> int:
    answer = await web.get(f"/v1/runs?connection_id={connection}")
    run = answer.json()["items"][0]["id"]
    return len((await web.get(f"/v1/runs/{run}/artifacts")).json()["items"])


async def test_what_may_be_gone_is_told_with_names_and_kept(
    web: httpx.AsyncClient, deletion: Deletion
) -> None:
    listed = (await web.get("/v1/deletions")).json()["items"]
    one = (await web.get(f"/v1/deletions/{deletion.id}")).json()

    assert [each["id"] for each in listed] == [str(deletion.id)]
    assert (one["sample"], one["reason"], one["decision"]) == (["a.md", "b.md"], "everything", None)
    assert await count(web, deletion.connection) == 2


async def test_what_is_approved_is_gone_once(web: httpx.AsyncClient, deletion: Deletion) -> None:
    path = f"/v1/deletions/{deletion.id}"

    approved, again = await web.post(f"{path}/approve"), await web.post(f"{path}/approve")
    declined = await web.post(f"{path}/decline")

    assert (approved.json()["decision"], approved.json()["hidden"]) == ("approved", 2)
    assert (again.status_code, again.json()["hidden"]) == (200, 0)
    assert (declined.status_code, declined.json()["code"]) == (409, "deletion_decided")
    assert await count(web, deletion.connection) == 0
    assert (await web.get("/v1/deletions")).json()["items"] == []
    assert len((await web.get("/v1/deletions?undecided=false")).json()["items"]) == 1


async def test_what_is_declined_stays(web: httpx.AsyncClient, deletion: Deletion) -> None:
    declined = await web.post(f"/v1/deletions/{deletion.id}/decline")

    assert declined.json()["decision"] == "declined"
    assert await count(web, deletion.connection) == 2


async def test_programs_decide(served: Served, deletion: Deletion) -> None:
    async with AsyncClient(served.url) as client:
        (found,) = [each async for each in client.deletions()]
        decided = await client.decide_deletion(found.id, "approve")

    assert words.deletion(found) == "2 of 2 in files: the listing named nothing of it"
    assert (decided.decision, decided.hidden) == ("approved", 2)


async def test_what_nobody_asks_about_is_not_there(web: httpx.AsyncClient) -> None:
    path = f"/v1/deletions/{uuid4()}"

    answers = [
        await web.get(path),
        *[await web.post(f"{path}/{w}") for w in ("approve", "decline")],
    ]

    assert [answer.status_code for answer in answers] == [404] * 3
