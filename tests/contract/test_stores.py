"""The small stores: cursors, contents, results, answers. Each write is harmless when repeated."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from storage import blobs, ledger, partitions, requests
from storage.clock import now
from storage.connections import Connection
from storage.database import Database
from storage.errors import KeyReused
from storage.ids import TenantId
from storage.partitions import Saved
from storage.requests import Answer
from storage.tables import blobs as blobs_table

DIGESTS = [f"{number:064x}" for number in range(2_500)]
ANSWER = Answer(202, {"Location": "/v1/runs/1"}, {"run": {"id": 1}})


async def test_a_partition_is_loaded_as_it_was_saved_last(
    database: Database, tenant: TenantId, connection: Connection
) -> None:
    async with database.transaction() as tx:
        for done in (False, True):
            await partitions.save(
                tx, tenant, connection.id, "files", cursor={"v": 1, "at": "b"}, done=done
            )
        await partitions.save(tx, tenant, connection.id, "issues", cursor={"v": 1}, done=False)

    async with database.reading() as tx:
        loaded = await partitions.load(tx, connection.id)

    assert loaded == {
        "files": Saved(key="files", cursor={"v": 1, "at": "b"}, done=True, settled=False),
        "issues": Saved(key="issues", cursor={"v": 1}, done=False, settled=False),
    }


@pytest.mark.parametrize(
    ("crawls", "settled"),
    [
        ([(False, False), (True, True)], True),  # nothing left but what was told
        ([(False, False)], True),  # and whether something did is only known at its end
        ([(True, False)], False),
        ([(True, False), (True, True)], False),  # until a listing settles it again
    ],
)
async def test_what_is_gone_stays_settled_while_nothing_leaves_untold(
    database: Database,
    tenant: TenantId,
    connection: Connection,
    crawls: Sequence[tuple[bool, bool]],
    settled: bool,  # noqa: FBT001  # a case's outcome
) -> None:
    async with database.transaction() as tx:
        at = (tx, tenant, connection.id, "files")
        await partitions.save(*at, cursor={"v": 1}, done=True)
        await partitions.settle(tx, connection.id, "files", settled=True)
        for done, quiet in crawls:
            await partitions.save(*at, cursor={"v": 1}, done=done, quiet=quiet)

        saved = (await partitions.load(tx, connection.id))["files"]

    assert saved.settled is settled


@pytest.mark.parametrize("body", [b"", b"\x00\xff binary", b"words " * 50_000])
async def test_content_comes_back_to_the_byte(
    database: Database, tenant: TenantId, body: bytes
) -> None:
    async with database.transaction() as tx:
        await blobs.put(tx, tenant, {DIGESTS[0]: body})

    async with database.reading() as tx:
        assert await blobs.get(tx, tenant, DIGESTS[:2]) == {DIGESTS[0]: body}


async def test_content_is_kept_compressed_and_once(database: Database, tenant: TenantId) -> None:
    body = b"words " * 1_000
    for _ in range(2):
        async with database.transaction() as tx:
            await blobs.put(tx, tenant, {DIGESTS[0]: body, DIGESTS[1]: body})

    async with database.reading() as tx:
        sizes = (await tx.execute(select(func.length(blobs_table.c.body)))).scalars().all()
    assert len(sizes) == 2
    assert all(size < len(body) / 10 for size in sizes)


async def test_two_writers_of_one_content_both_succeed(
    database: Database, tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        await blobs.put(tx, tenant, {DIGESTS[0]: b"first"})
        await blobs.put(tx, tenant, {DIGESTS[0]: b"first", DIGESTS[1]: b"second"})

    async with database.reading() as tx:
        assert set(await blobs.get(tx, tenant, DIGESTS[:2])) == set(DIGESTS[:2])


async def test_content_and_results_are_never_shared_between_tenants(
    database: Database, tenant: TenantId, other_tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        await blobs.put(tx, tenant, {DIGESTS[0]: b"mine"})
        await ledger.put(tx, tenant, {DIGESTS[0]: ("read", "mine")})

    async with database.reading() as tx:
        assert await blobs.get(tx, other_tenant, DIGESTS[:1]) == {}
        assert await ledger.get(tx, other_tenant, DIGESTS[:1]) == {}


async def test_thousands_of_contents_and_results_are_one_call(
    database: Database, tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        await blobs.put(tx, tenant, {digest: digest.encode() for digest in DIGESTS})
        await ledger.put(tx, tenant, {digest: ("read", [digest]) for digest in DIGESTS})

    async with database.reading() as tx:
        contents = await blobs.get(tx, tenant, DIGESTS)
        results = await ledger.get(tx, tenant, DIGESTS)
    assert contents == {digest: digest.encode() for digest in DIGESTS}
    assert results == {digest: [digest] for digest in DIGESTS}


@pytest.mark.parametrize("value", [None, 0, "é", [1, {"a": None}], {"nested": {"b": [True]}}])
async def test_a_result_is_kept_whatever_json_it_is(
    database: Database, tenant: TenantId, value: object
) -> None:
    async with database.transaction() as tx:
        await ledger.put(tx, tenant, {DIGESTS[0]: ("read", value)})

    async with database.reading() as tx:
        assert await ledger.get(tx, tenant, DIGESTS[:2]) == {DIGESTS[0]: value}


async def test_the_first_result_stays(database: Database, tenant: TenantId) -> None:
    async with database.transaction() as tx:
        await ledger.put(tx, tenant, {DIGESTS[0]: ("read", "first")})
        await ledger.put(tx, tenant, {DIGESTS[0]: ("read", "second")})
        await ledger.put(tx, tenant, {})

    async with database.reading() as tx:
        assert await ledger.get(tx, tenant, DIGESTS[:1]) == {DIGESTS[0]: "first"}


async def test_a_repeated_request_gets_the_first_answer(
    database: Database, tenant: TenantId, other_tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        before = await requests.replay(tx, tenant, "POST /v1/x", "k", "f")
        await requests.keep(tx, tenant, "POST /v1/x", "k", "f", ANSWER)
        kept = await requests.keep(tx, tenant, "POST /v1/x", "k", "f", Answer(500, {}, {}))

    async with database.reading() as tx:
        assert before is None
        assert kept == await requests.replay(tx, tenant, "POST /v1/x", "k", "f") == ANSWER
        assert await requests.replay(tx, tenant, "POST /v1/y", "k", "f") is None
        assert await requests.replay(tx, other_tenant, "POST /v1/x", "k", "f") is None


async def test_a_key_of_another_request_is_refused(database: Database, tenant: TenantId) -> None:
    async with database.transaction() as tx:
        await requests.keep(tx, tenant, "POST /v1/x", "k", "f", ANSWER)

    async with database.reading() as tx:
        with pytest.raises(KeyReused):
            await requests.replay(tx, tenant, "POST /v1/x", "k", "another body")


async def test_old_answers_are_forgotten(database: Database, tenant: TenantId) -> None:
    async with database.transaction() as tx:
        await requests.keep(tx, tenant, "POST /v1/x", "k", "f", ANSWER)

        early = await requests.forget(tx, before=now() - timedelta(days=1))
        late = await requests.forget(tx, before=now() + timedelta(days=1))

    assert (early, late) == (0, 1)
