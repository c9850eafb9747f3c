"""The fake says what GitHub says, and the connector asks what GitHub understands."""

import httpx
import pytest
from graphql import build_schema, parse
from graphql.execution import execute_sync

from connectors.github import queries
from connectors.github.fake.questions import parse as understood
from tests import hub
from tests.judges import SAMPLES, Judge, wrong_in

QUERIES = {
    "threads": queries.threads([(1, False), (3, True)]),
    "discussions": queries.discussions(5),
    "discussion": queries.discussion(),
    "more comments": queries.more("issue", "comments"),
    "more reviews": queries.more("pullRequest", "reviews"),
    "more threads": queries.more("pullRequest", "reviewThreads"),
    "more replies": queries.more("discussion", "comments"),
}


async def test_every_answer_of_a_crawl_is_as_github_describes_it() -> None:
    fake, judge, index = hub.fake(), Judge(), hub.Index()
    fake.validate = judge
    hub.small(fake)

    async with hub.inside(fake) as connector:
        await connector.check()
        assert [scope.title async for scope in connector.discover()] == [hub.NAME]
        await index.crawl(connector)
        for part in hub.PARTS:
            assert [event async for event in connector.census(part)]
    async with hub.inside(fake) as fresh:
        refs = [event.artifact.ref for event in index.events if hasattr(event, "artifact")]
        await fresh.fetch(refs)

    assert judge.judged >= {
        "/repos/{owner}/{repo}",
        "/repos/{owner}/{repo}/git/trees/{tree_sha}",
        "/repos/{owner}/{repo}/issues",
        "/repos/{owner}/{repo}/issues/{issue_number}",
        "/repos/{owner}/{repo}/issues/comments",
        "/repos/{owner}/{repo}/pulls/comments",
        "/repos/{owner}/{repo}/releases",
        "/repos/{owner}/{repo}/releases/{release_id}",
        "/user",
        "/user/repos",
    }


async def test_other_answers_of_the_fake_are_as_described_too() -> None:
    fake, judge = hub.fake(), Judge()
    fake.validate = judge
    repo = hub.small(fake)
    headers = {"authorization": f"Bearer {hub.TOKEN}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(fake.app), base_url="http://hub.test", headers=headers
    ) as client:
        await client.get(f"/repos/{hub.NAME}/git/blobs/{next(iter(repo.blobs))}")
        await client.get("/installation/repositories")

    assert {
        "/repos/{owner}/{repo}/git/blobs/{file_sha}",
        "/installation/repositories",
    } == judge.judged


def test_judge_finds_what_github_would_not_say() -> None:
    with pytest.raises(AssertionError, match="required property"):
        Judge()("GET", "/repos/acme/thing/issues", [{"number": "seven"}])


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_question_is_one_github_understands(query: str) -> None:
    assert wrong_in(query) == []


def test_judge_finds_a_question_github_would_not_understand() -> None:
    assert wrong_in(QUERIES["discussion"].replace("updatedAt", "changedAt"))


async def test_answers_to_questions_have_the_types_of_githubs_schema() -> None:
    """A real GraphQL executor goes through the answer by the schema and finds nothing wrong."""
    fake = hub.fake()
    hub.small(fake)
    schema = build_schema((SAMPLES / "schema.graphql").read_text())
    owner, name = hub.NAME.split("/")
    variables = {"owner": owner, "name": name, "number": 6, "after": None}
    for label in ("threads", "discussions", "discussion"):
        query = QUERIES[label]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(fake.app)) as client:
            answer = await client.post(
                "http://hub.test/graphql",
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {hub.TOKEN}"},
            )
        data = answer.json()["data"]
        again = execute_sync(
            schema,
            parse(query),
            data,
            variable_values=variables,
            field_resolver=lambda source, info, **_: source[info.path.key],
        )
        assert again.errors is None
        assert again.data == data
        assert data["repository"]


def test_fake_understands_aliases_variables_and_fragments() -> None:
    query = 'query A($n: Int!) { a: one(number: $n) { ... on Thing { b(x: "y", z: {k: V}) } } }'

    (asked,) = understood(query, {"n": 7})

    assert (asked.alias, asked.name, asked.arguments) == ("a", "one", {"number": 7})
    assert asked.fields[0].arguments == {"x": "y", "z": {"k": "V"}}
