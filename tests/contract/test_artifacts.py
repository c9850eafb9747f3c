"""Artifacts on their way into the index: staged, searched, renewed, skipped, failed, deleted."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select, text

from storage import artifacts, connections, failures, runs
from storage.artifacts import ArtifactRow, ArtifactStatus, Known, NewArtifact, NewSkip, Ready
from storage.connections import Connection
from storage.database import Database
from storage.failures import Failure
from storage.ids import ArtifactId, RunId, TenantId
from storage.tables import chunks, embeddings

SAW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VECTOR = struct.pack("<4e", 0.0, -1.0, 1 / 3, 6e-8)
READING = {"summary": "Notes", "producer": "extractive/1"}


def new(name: str, *, version: str = "v1", digest: str = "a", priority: int = 2) -> NewArtifact:
    return NewArtifact(
        partition="files",
        external_id=f"file:{name}",
        kind="file",
        title=name,
        path=name,
        url=None,
        mime="text/plain",
        size=12,
        version=version,
        digest=digest * 64,
        priority=priority,
        meta={"mode": "100644"},
        created_at=None,
        updated_at=SAW,
    )


def skipped(name: str) -> NewSkip:
    return NewSkip(
        partition="files",
        external_id=f"file:{name}",
        title=name,
        reason="binary",
        detail="It holds zero bytes.",
        size=9,
    )


def failed(name: str, stage: str = "fetch") -> Failure:
    return Failure(
        partition="files",
        external_id=f"file:{name}" if name else "",
        title=name,
        stage=stage,
        failure="forbidden",
        detail=f"{name} may not be read.",
        action="Allow it.",
    )


@pytest.fixture
async def run(database: Database, connection: Connection) -> RunId:
    async with database.transaction() as tx:
        made, _ = await runs.request(
            tx, connection.tenant, connection=connection, workflow="ingest", input={}
        )
    return made.id


class Index:
    """One connection's artifacts, each call in a transaction of its own."""

    def __init__(self, database: Database, connection: Connection, run: RunId) -> None:
        self.database = database
        self.connection = connection
        self.run = run
        self.scope = (connection.tenant, connection.id, run)

    async def stage(self, *rows: NewArtifact) -> None:
        async with self.database.transaction() as tx:
            await artifacts.stage(tx, *self.scope, rows)

    async def skip(self, *rows: NewSkip) -> None:
        async with self.database.transaction() as tx:
            await artifacts.skip(tx, *self.scope, rows)

    async def fail(self, *rows: Failure) -> None:
        async with self.database.transaction() as tx:
            await failures.record(tx, *self.scope, rows)

    async def delete(self, *names: str) -> int:
        async with self.database.transaction() as tx:
            return await artifacts.delete(tx, self.connection.id, [f"file:{n}" for n in names])

    async def finish(self, name: str, *, digest: str = "a") -> None:
        """What a batch does when an artifact is through: its chunks, and that it is ready."""
        id_ = (await self.known(name)).id
        done = Ready(
            id=id_, digest=digest * 64, ready_key="k" * 64, title=name.upper(), reading=READING
        )
        async with self.database.transaction() as tx:
            await artifacts.ready(tx, self.run, [done])
            await tx.execute(chunks.delete().where(chunks.c.artifact_id == id_))
            made = await tx.execute(insert(chunks).values(self._chunk(id_)).returning(chunks.c.id))
            await tx.execute(
                insert(embeddings).values(
                    chunk_id=made.scalar_one(),
                    model="m",
                    tenant_id=self.connection.tenant,
                    dimension=4,
                    vector=VECTOR,
                )
            )

    async def known(self, name: str) -> Known:
        async with self.database.reading() as tx:
            return (await artifacts.known(tx, self.connection.id, [f"file:{name}"]))[f"file:{name}"]

    async def queue(self, limit: int = 10, excluding: Sequence[ArtifactId] = ()) -> list[str]:
        async with self.database.reading() as tx:
            staged = await artifacts.queue(tx, self.connection.id, limit=limit, excluding=excluding)
        return [each.title for each in staged]

    async def rows(
        self, status: ArtifactStatus | None = None, run: RunId | None = None
    ) -> list[ArtifactRow]:
        async with self.database.reading() as tx:
            return await artifacts.page(
                tx, *self.scope[:2], run=run, status=status, after=None, limit=50
            )

    async def row(self, name: str) -> ArtifactRow:
        (found,) = (row for row in await self.rows() if row.external_id == f"file:{name}")
        return found

    async def searchable(self) -> int:
        async with self.database.reading() as tx:
            return await artifacts.searchable(tx, self.connection.id)

    async def backlog(self) -> int:
        async with self.database.reading() as tx:
            return await artifacts.backlog(tx, self.connection.id)

    async def chunked(self) -> tuple[int, int]:
        async with self.database.reading() as tx:
            counts = [
                (await tx.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (chunks, embeddings)
            ]
        return counts[0], counts[1]

    async def open_failures(self, run: RunId | None = None) -> list[failures.OpenFailure]:
        async with self.database.reading() as tx:
            return await failures.page(tx, *self.scope[:2], run=run, after=None, limit=50)

    def _chunk(self, artifact: ArtifactId) -> dict[str, object]:
        places = dict.fromkeys(("ordinal", "start_byte", "end_byte", "tokens"), 0)
        lines = {"start_line": 1, "end_line": 1}
        return {
            "tenant_id": self.connection.tenant,
            "connection_id": self.connection.id,
            "artifact_id": artifact,
            "text": "some words",
            "digest": "d" * 64,
            **places,
            **lines,
        }


@pytest.fixture
def index(database: Database, connection: Connection, run: RunId) -> Index:
    return Index(database, connection, run)


async def test_staging_keeps_all_that_the_source_told(index: Index, run: RunId) -> None:
    await index.stage(new("a.txt"))

    row = await index.row("a.txt")

    assert (row.status, row.run, row.path, row.mime) == ("staged", run, "a.txt", "text/plain")
    assert (row.version, row.digest, row.meta) == ("v1", "a" * 64, {"mode": "100644"})
    assert (row.source_created_at, row.source_updated_at) == (None, SAW)


async def test_names_that_no_database_can_keep_do_not_stop_a_batch(index: Index) -> None:
    odd = "caf\udce9\0.txt"
    row = replace(new("a.txt"), title=odd, path=odd, meta={"name": odd, "emoji": "😀"})

    await index.stage(row, new("b.txt"))

    kept = await index.row("a.txt")
    assert kept.title == kept.path == kept.meta["name"] == "caf\ufffd\ufffd.txt"
    assert kept.meta["emoji"] == "😀"


async def test_staging_twice_changes_nothing(index: Index) -> None:
    await index.stage(new("a.txt"), new("b.txt"))
    once = await index.known("a.txt")

    await index.stage(new("a.txt"), new("b.txt"))

    assert await index.known("a.txt") == once
    assert await index.backlog() == 2


async def test_the_queue_is_useful_first_then_in_order(index: Index) -> None:
    await index.stage(new("code"), new("test", priority=3), new("README", priority=0), new("more"))
    readme = (await index.known("README")).id

    assert await index.queue() == ["README", "code", "more", "test"]
    assert await index.queue(limit=2) == ["README", "code"]
    assert await index.queue(limit=2, excluding=[readme]) == ["code", "more"]


async def test_what_is_ready_can_be_searched_and_leaves_the_queue(index: Index) -> None:
    await index.stage(new("a.txt"))

    await index.finish("a.txt")
    await index.finish("a.txt")

    row = await index.row("a.txt")
    assert (row.status, row.title, row.reading) == ("ready", "A.TXT", READING)
    assert row.ready_at is not None
    assert (await index.known("a.txt")).ready_key == "k" * 64
    assert (await index.backlog(), await index.searchable()) == (0, 1)


async def test_a_new_version_is_queued_while_the_old_one_can_still_be_searched(
    index: Index,
) -> None:
    await index.stage(new("a.txt"))
    await index.finish("a.txt")

    await index.stage(new("a.txt", version="v2", digest="b"))

    assert (await index.backlog(), await index.searchable()) == (1, 1)
    assert await index.chunked() == (1, 1)


async def test_what_changed_while_it_was_processed_stays_in_the_queue(index: Index) -> None:
    await index.stage(new("a.txt", version="v2", digest="b"))

    await index.finish("a.txt", digest="a")

    known = await index.known("a.txt")
    assert (known.status, known.ready_key) == (ArtifactStatus.STAGED, None)


async def test_a_touched_artifact_has_a_new_version_and_nothing_else(index: Index) -> None:
    await index.stage(new("a.txt"), new("b.txt"))
    await index.finish("a.txt")
    before = await index.known("a.txt")

    async with index.database.transaction() as tx:
        await artifacts.touch(tx, index.connection.id, [("file:a.txt", "v2")])

    assert await index.known("a.txt") == replace(before, version="v2")
    assert (await index.known("b.txt")).version == "v1"


async def test_a_skipped_artifact_loses_its_chunks_and_says_why(index: Index) -> None:
    await index.stage(new("a.txt"), new("b.txt"))
    await index.finish("a.txt")
    await index.finish("b.txt")

    for _ in range(2):
        await index.skip(skipped("a.txt"), skipped("new.bin"))

    row = await index.row("a.txt")
    assert (row.status, row.reason, row.detail) == ("skipped", "binary", "It holds zero bytes.")
    assert (row.kind, row.digest, row.reading) == ("file", None, None)
    assert [each.title for each in await index.rows(ArtifactStatus.SKIPPED)] == ["a.txt", "new.bin"]
    assert await index.chunked() == (1, 1)
    assert await index.searchable() == 1


async def test_a_skipped_artifact_can_be_staged_again(index: Index) -> None:
    await index.skip(skipped("a.txt"))

    await index.stage(new("a.txt"))

    row = await index.row("a.txt")
    assert (row.status, row.reason, row.detail, row.kind) == ("staged", None, None, "file")


async def test_deleting_leaves_nothing_of_an_artifact(index: Index) -> None:
    await index.stage(new("a.txt"), new("b.txt"))
    await index.finish("a.txt")
    await index.fail(failed("a.txt"))

    deleted = await index.delete("a.txt", "never.txt")
    again = await index.delete("a.txt")

    assert (deleted, again) == (1, 0)
    assert [row.title for row in await index.rows()] == ["b.txt"]
    assert await index.chunked() == (0, 0)
    assert await index.open_failures() == []


async def test_hidden_is_kept_and_found_by_nobody_until_it_is_forgotten(index: Index) -> None:
    names = ("a.txt", "a.txt%#inner", "b.txt", "ab.txt")
    await index.stage(*map(new, names))
    for name in names:
        await index.finish(name)

    async with index.database.transaction() as tx:
        scope = (tx, index.connection.id, index.run)
        named = await artifacts.lose(*scope, ids=["file:a.txt"], beginnings=["file:a.txt%#"])
        again = await artifacts.lose(*scope, ids=["file:a.txt"])
    row, _ = await index.rows(ArtifactStatus.HIDDEN)
    left = await index.searchable()
    async with index.database.transaction() as tx:
        purged = await artifacts.purge(tx, artifacts.ACCESS_LOST, before=datetime.now(UTC))

    assert (named.number, again.number, left, purged) == (2, 0, 2, 2)
    assert row.status is ArtifactStatus.HIDDEN
    assert row.reading is None
    assert await index.rows(ArtifactStatus.HIDDEN) == []
    assert {each.external_id for each in await index.rows()} == {"file:b.txt", "file:ab.txt"}


async def test_partition_is_hidden_as_a_whole_but_for_what_nobody_saw(index: Index) -> None:
    await index.stage(new("a.txt"), new("b.txt"))
    await index.skip(skipped("c.png"))
    await index.finish("a.txt")

    async with index.database.transaction() as tx:
        hidden = await artifacts.lose(tx, index.connection.id, index.run, partition="files")
        other = await artifacts.lose(tx, index.connection.id, index.run, partition="others")

    assert (hidden.number, hidden.staged, other.number) == (2, 1, 0)
    assert (await index.row("c.png")).status is ArtifactStatus.SKIPPED
    assert await index.backlog() == 0


async def test_the_full_text_index_follows_deletions(index: Index) -> None:
    if index.database.dialect == "postgresql":
        return  # there it is a column of the chunk itself
    await index.stage(new("a.txt"), new("b.txt"))
    await index.finish("a.txt")
    await index.finish("b.txt")

    await index.delete("a.txt")

    match = "SELECT count(*) FROM chunks_fts WHERE chunks_fts MATCH 'words'"
    async with index.database.transaction() as tx:
        assert (await tx.execute(text(match))).scalar_one() == 1
        check = "INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('integrity-check', 1)"
        await tx.execute(text(check))  # raises if the index and the chunks disagree


async def test_a_vector_comes_back_to_the_bit(index: Index) -> None:
    await index.stage(new("a.txt"))
    await index.finish("a.txt")

    async with index.database.reading() as tx:
        assert (await tx.execute(select(embeddings.c.vector))).scalar_one() == VECTOR


async def test_an_id_is_never_given_twice(index: Index) -> None:
    await index.stage(new("a.txt"))
    first = (await index.known("a.txt")).id
    await index.delete("a.txt")

    await index.stage(new("b.txt"))

    assert (await index.known("b.txt")).id > first


async def test_absent_is_what_a_census_did_not_see(index: Index, connection: Connection) -> None:
    await index.stage(new("a.txt"), new("b.txt"), replace(new("c.txt"), partition="other"))

    async with index.database.reading() as tx:
        gone = await artifacts.absent(tx, connection.id, "files", ["file:a.txt"])
        none = await artifacts.absent(tx, connection.id, "files", ["file:a.txt", "file:b.txt"])

    assert [each.external_id for each in gone] == ["file:b.txt"]
    assert none == []


async def test_many_artifacts_go_through_at_once(index: Index, connection: Connection) -> None:
    many = [new(f"{number}.txt") for number in range(2_500)]
    names = [each.external_id for each in many]

    await index.stage(*many)

    async with index.database.reading() as tx:
        known = await artifacts.known(tx, connection.id, names)
        gone = await artifacts.absent(tx, connection.id, "files", names[:-1])
    assert set(known) == set(names)
    assert [each.external_id for each in gone] == names[-1:]
    assert await index.delete(*(each.title for each in many)) == 2_500


async def test_nothing_to_do_is_done(index: Index) -> None:
    await index.stage()
    await index.skip()
    await index.fail()
    async with index.database.transaction() as tx:
        await artifacts.touch(tx, index.connection.id, [])
        await artifacts.ready(tx, index.run, [])

    assert await index.rows() == []


async def test_a_failure_is_told_with_what_to_do(index: Index, run: RunId) -> None:
    await index.stage(new("a.txt"))

    await index.fail(failed("a.txt"), failed("unknown.txt"))

    first, second = await index.rows(ArtifactStatus.FAILED)
    assert (first.title, second.title) == ("a.txt", "unknown.txt")
    assert (first.reason, first.detail) == ("forbidden", "a.txt may not be read.")
    assert (first.action, second.action) == ("Allow it.", "Allow it.")
    assert [each.failure for each in await index.open_failures(run)] == [
        failed("a.txt"),
        failed("unknown.txt"),
    ]


async def test_a_failed_new_version_leaves_the_old_one_searchable(index: Index) -> None:
    await index.stage(new("a.txt"))
    await index.finish("a.txt")

    await index.fail(failed("a.txt"))

    assert await index.searchable() == 1
    assert await index.chunked() == (1, 1)


async def test_a_failure_seen_again_is_one_failure_with_more_attempts(index: Index) -> None:
    await index.fail(failed("a.txt"))
    (once,) = await index.open_failures()

    await index.fail(replace(failed("a.txt"), detail="Still not."))

    (twice,) = await index.open_failures()
    assert (twice.id, twice.attempts, twice.failure.detail) == (once.id, 2, "Still not.")
    assert twice.first_seen_at == once.first_seen_at


async def test_alike_failures_have_one_fingerprint(index: Index) -> None:
    await index.fail(failed("a1.txt"), failed("b22.txt"), failed("c.txt", "decode"))

    first, second, other = (each.fingerprint for each in await index.open_failures())

    assert first == second != other


async def test_a_part_of_a_partition_can_fail_without_an_artifact(index: Index) -> None:
    await index.fail(failed(""))

    assert len(await index.open_failures()) == 1
    assert await index.rows() == []


@pytest.mark.parametrize("outcome", ["ready", "skipped"])
async def test_an_outcome_resolves_the_failure(index: Index, outcome: str) -> None:
    await index.stage(new("a.txt"), new("b.txt"))
    await index.fail(failed("a.txt"), failed("b.txt"))

    if outcome == "ready":
        await index.finish("a.txt")
    else:
        await index.skip(skipped("a.txt"))

    assert [each.failure.title for each in await index.open_failures()] == ["b.txt"]
    assert (await index.row("a.txt")).action is None


async def test_a_failure_that_comes_back_is_counted_from_one(index: Index) -> None:
    await index.stage(new("a.txt"))
    await index.fail(failed("a.txt"))
    await index.fail(failed("a.txt"))
    await index.finish("a.txt")

    await index.fail(failed("a.txt"))

    assert [each.attempts for each in await index.open_failures()] == [1]


async def test_a_page_goes_on_after_its_last_row(index: Index) -> None:
    await index.stage(*(new(f"{number}.txt") for number in range(5)))

    after = None
    pages = []
    async with index.database.reading() as tx:
        for _ in range(2):
            rows = await artifacts.page(
                tx, *index.scope[:2], run=index.run, status=None, after=after, limit=3
            )
            after = rows[-1].id
            pages.append([row.title for row in rows])

    assert pages == [["0.txt", "1.txt", "2.txt"], ["3.txt", "4.txt"]]


async def test_another_tenant_sees_nothing_of_an_artifact(
    index: Index, other_tenant: TenantId, connection: Connection
) -> None:
    await index.stage(new("a.txt"))
    await index.fail(failed("b.txt"))
    mine = await index.row("a.txt")

    theirs = Index(index.database, replace(connection, tenant=other_tenant), index.run)

    async with index.database.reading() as tx:
        assert await artifacts.get(tx, connection.tenant, mine.id) == mine
        assert await artifacts.get(tx, other_tenant, mine.id) is None
    assert await theirs.rows() == []
    assert await theirs.open_failures() == []


async def test_connections_have_their_own_artifacts(index: Index, connection: Connection) -> None:
    async with index.database.transaction() as tx:
        other, _ = await connections.connect(
            tx, connection.tenant, owner="ann", kind="local", title="", config={"path": "/b"}
        )
        await artifacts.stage(tx, connection.tenant, other.id, index.run, [new("a.txt")])
    await index.stage(new("a.txt", version="mine"))

    await index.delete("a.txt")

    async with index.database.reading() as tx:
        assert (await artifacts.known(tx, other.id, ["file:a.txt"]))["file:a.txt"].version == "v1"
