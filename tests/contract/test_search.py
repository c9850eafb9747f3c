"""A search finds by name and by meaning, only what it may show, on both databases."""

import asyncio

import pytest
from sqlalchemy import delete, update

from storage import chunks, connections
from storage.connections import Connection
from storage.database import Database
from storage.ids import LOCAL_TENANT, ArtifactId, TenantId
from storage.search import Hit, Searcher
from storage.search.snippet import LIMIT
from storage.tables import artifacts
from tests.indexed import Library

LEASES = "The worker renews its lease every few seconds. If it dies, another takes the job over."
PASSWORDS = "Passwords are hashed with a salt before they are stored."
BREAD = "Bread dough rises for two hours in a warm kitchen before it is baked."
CODE = """def append_event(run, event):
    # one script, so that nothing comes between
    profile = getUserName(os.path.join(home, "x"))
    return redis.evalsha(SCRIPT, run, event)
"""

NAMES = (
    "append_event",
    "appendEvent",
    "append event",
    "getUserName",
    "GETUSERNAME",
    "os.path.join",
    "path.join",
    "redis.evalsha(SCRIPT",
    "append.py",
    "storage/streams/append.py",
    "streams/append",
    "what does the append_event function do?",
)
ANSWERS = {
    "somebody else continues the work of a crashed process": "docs/leases.md",
    "keeping user credentials secure": "docs/passwords.md",
    "how to make a loaf": "docs/bread.md",
}
TYPED = (
    "",
    "   ",
    "?!… ()",
    '"',
    "'",
    '"unclosed lease',
    "lease AND",
    "NEAR(lease, 2)",
    "NOT lease",
    "lease OR OR",
    "lease*",
    "*",
    "^lease",
    "{header}: lease",
    "header:lease",
    "lease:*",
    "a & b | !c <-> d",
    "\\",
    "lease\0lease",
    "\ud800lease",
    "🙂 lease",
    "½ ² ª ⅷ",
    "ठी 한 ǅ",
    "lease " * 1_700,
    "x" * 10_000,
    "lease;" + "(" * 5_000,
    "%s :name $1 ?",
    "-- ; DROP TABLE chunks",
)


@pytest.fixture
def library(connection: Connection) -> Library:
    return Library(connection)


@pytest.fixture
def searcher(library: Library) -> Searcher:
    return Searcher(library.embedder)


@pytest.fixture
async def four(database: Database, library: Library) -> dict[str, ArtifactId]:
    """Four artifacts by path."""
    async with database.transaction() as tx:
        return {
            path: await library.add(tx, path, text)
            for path, text in (
                ("docs/leases.md", LEASES),
                ("docs/passwords.md", PASSWORDS),
                ("docs/bread.md", BREAD),
                ("storage/streams/append.py", CODE),
            )
        }


async def search(
    database: Database,
    searcher: Searcher,
    query: str,
    *,
    connection: Connection | None = None,
    tenant: TenantId | None = None,
    limit: int = 10,
) -> list[Hit]:
    async with database.reading() as tx:
        return await searcher.search(
            tx,
            tenant or LOCAL_TENANT,
            query,
            connections=[connection.id] if connection else None,
            limit=limit,
        )


def paths(hits: list[Hit]) -> list[str | None]:
    return [hit.path for hit in hits]


async def test_a_name_is_found_first(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    first = {query: paths(await search(database, searcher, query))[0] for query in NAMES}

    assert first == dict.fromkeys(NAMES, "storage/streams/append.py")


async def test_a_question_in_other_words_is_answered_first(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    first = {question: paths(await search(database, searcher, question))[0] for question in ANSWERS}

    assert first == ANSWERS


async def test_a_hit_says_where_it_is_and_why(
    database: Database, searcher: Searcher, library: Library, connection: Connection
) -> None:
    async with database.transaction() as tx:
        artifact = await library.add(tx, "docs/a.md", BREAD, "filler\n" * 200 + LEASES)

    hit = (await search(database, searcher, "worker lease"))[0]

    assert hit.artifact_id == artifact
    assert hit.connection_id == connection.id
    assert (hit.title, hit.path, hit.symbol) == ("a.md", "docs/a.md", "part 1")
    assert hit.url == "https://example.org/docs/a.md"
    assert (hit.start_line, hit.end_line) == (11, 211)
    assert "renews its lease" in hit.text
    assert len(hit.text) <= LIMIT
    assert hit.summary == "About docs/a.md."
    assert hit.score > 0


async def test_whatever_is_typed_is_a_query(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    answers = {query: paths(await search(database, searcher, query)) for query in TYPED}

    wrong = [query for query, found in answers.items() if "lease" in query and not found]
    assert wrong == []
    assert {found[0] for query, found in answers.items() if "lease" in query} == {"docs/leases.md"}


async def test_what_has_no_letters_and_no_digits_finds_nothing(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    for query in ("", "  ", "?!…", "()", "*", "🙂"):
        assert await search(database, searcher, query) == []


async def test_an_artifact_is_found_once(
    database: Database, searcher: Searcher, library: Library
) -> None:
    async with database.transaction() as tx:
        await library.add(tx, "docs/long.md", *(f"{LEASES} Page {n}." for n in range(200)))
        await library.add(tx, "docs/short.md", LEASES)

    hits = await search(database, searcher, "who renews the lease of a worker")

    assert sorted(map(str, paths(hits))) == ["docs/long.md", "docs/short.md"]


async def test_no_more_hits_than_asked_for(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    assert len(await search(database, searcher, "the worker", limit=2)) == 2
    assert await search(database, searcher, "the worker", limit=0) == []


async def test_only_the_connection_asked_for_is_searched(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId], tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        other, _ = await connections.connect(
            tx, tenant, owner="someone", kind="local", title="More", config={"path": "/more"}
        )
        await Library(other, searcher.embedder).add(tx, "more/leases.md", LEASES)

    here = await search(database, searcher, "worker lease", connection=other)
    everywhere = await search(database, searcher, "worker lease")

    assert paths(here) == ["more/leases.md"]
    assert {"more/leases.md", "docs/leases.md"} <= set(paths(everywhere))


async def test_another_tenant_finds_nothing_of_it(
    database: Database,
    searcher: Searcher,
    four: dict[str, ArtifactId],
    connection: Connection,
    other_tenant: TenantId,
) -> None:
    assert await search(database, searcher, "worker lease", tenant=other_tenant) == []
    through = await search(
        database, searcher, "worker lease", tenant=other_tenant, connection=connection
    )
    assert through == []


async def test_what_is_hidden_is_not_found(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    hidden = update(artifacts).where(artifacts.c.id == four["docs/leases.md"])
    async with database.transaction() as tx:
        await tx.execute(hidden.values(status="hidden"))

    assert "docs/leases.md" not in paths(await search(database, searcher, "worker lease"))


async def test_much_that_is_hidden_does_not_keep_the_rest_from_being_found(
    database: Database, searcher: Searcher, library: Library
) -> None:
    async with database.transaction() as tx:
        for number in range(150):
            await library.add(tx, f"hidden/{number}.md", LEASES, status="hidden")
        await library.add(tx, "docs/leases.md", "A job whose owner died goes to someone else.")

    hits = await search(database, searcher, "worker lease dies")

    assert paths(hits) == ["docs/leases.md"]


async def test_what_was_committed_since_the_last_search_is_found(
    database: Database, searcher: Searcher, library: Library, four: dict[str, ArtifactId]
) -> None:
    await search(database, searcher, "worker")

    async with database.transaction() as tx:
        await library.add(tx, "docs/trains.md", "The train leaves the station at seven.")

    assert paths(await search(database, searcher, "railway timetable"))[0] == "docs/trains.md"


async def test_what_is_not_committed_is_not_found(
    database: Database, searcher: Searcher, library: Library, four: dict[str, ArtifactId]
) -> None:
    async with database.transaction() as tx:
        await library.add(tx, "docs/trains.md", "The train leaves the station at seven.")
        during = await search(database, searcher, "train station")
    after = await search(database, searcher, "train station")

    assert "docs/trains.md" not in paths(during)
    assert paths(after)[0] == "docs/trains.md"


async def test_new_chunks_are_found_in_place_of_the_old(
    database: Database, searcher: Searcher, library: Library, four: dict[str, ArtifactId]
) -> None:
    await search(database, searcher, "worker lease")

    async with database.transaction() as tx:
        await library.replace(tx, four["docs/leases.md"], "docs/l.md", "Trains run on rails.")

    assert "lease" not in " ".join(h.text for h in await search(database, searcher, "worker lease"))
    assert paths(await search(database, searcher, "trains"))[0] == "docs/leases.md"


@pytest.mark.parametrize("query", ["worker lease", "a process crashes in the middle of a task"])
async def test_what_was_deleted_is_not_found(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId], query: str
) -> None:
    await search(database, searcher, query)

    async with database.transaction() as tx:
        await chunks.delete_of(tx, [four["docs/leases.md"]])
        await tx.execute(delete(artifacts).where(artifacts.c.id == four["docs/leases.md"]))

    assert "docs/leases.md" not in paths(await search(database, searcher, query))


async def test_after_most_was_deleted_the_rest_is_found(
    database: Database, searcher: Searcher, library: Library
) -> None:
    async with database.transaction() as tx:
        gone = [await library.add(tx, f"{n}.md", *[LEASES] * 50) for n in range(30)]
        await library.add(tx, "docs/kept.md", "A job whose owner died goes to someone else.")
    await search(database, searcher, "worker lease")

    async with database.transaction() as tx:
        await chunks.delete_of(tx, gone)

    assert paths(await search(database, searcher, "worker lease")) == ["docs/kept.md"]
    assert paths(await search(database, searcher, "a dead owner's task")) == ["docs/kept.md"]


async def test_searches_at_once_find_the_same(
    database: Database, searcher: Searcher, four: dict[str, ArtifactId]
) -> None:
    queries = [search(database, searcher, "worker lease") for _ in range(8)]

    answers = await asyncio.gather(*queries)

    assert all(answer == answers[0] for answer in answers)


async def test_an_older_view_of_the_database_takes_nothing_from_a_newer_one(
    database: Database, searcher: Searcher, library: Library, four: dict[str, ArtifactId]
) -> None:
    async with database.reading() as older:
        await searcher.search(older, library.connection.tenant, "train")
        async with database.transaction() as tx:
            await library.add(tx, "docs/trains.md", "The train leaves the station at seven.")
        await search(database, searcher, "railway timetable")

        seen_by_older = await searcher.search(older, library.connection.tenant, "railway timetable")

    assert "docs/trains.md" not in paths(seen_by_older)
    assert paths(await search(database, searcher, "railway timetable"))[0] == "docs/trains.md"
