"""Questions to GitHub's GraphQL, which answers a hundred conversations at once."""

from collections.abc import Mapping, Sequence

REPLIES = 50
"""How many replies of a review thread or of a discussion's comment are asked for."""

FIRST, MORE = 50, 100
_PAGE = "pageInfo { hasNextPage endCursor }"
_SAID = "author { login } createdAt body"
CONNECTIONS: Mapping[str, str] = {
    "comments": f"nodes {{ {_SAID} }}",
    "reviews": "nodes { author { login } createdAt body state }",
    "reviewThreads": (
        "nodes { path line isResolved "
        f"comments(first: {REPLIES}) {{ totalCount nodes {{ {_SAID} diffHunk }} }} }}"
    ),
}
"""What can go on beyond the first answer, with what is asked of each of it."""

OF_ISSUE, OF_PULL = ("comments",), ("comments", "reviews", "reviewThreads")
_HEAD = "query {name}($owner: String!, $name: String!{more}) "
_REPOSITORY = "{{ repository(owner: $owner, name: $name) {{ {body} }} }}"
DISCUSSION = (
    "number title url body createdAt updatedAt author { login } category { name } "
    "answer { author { login } body } "
    f"comments(first: {FIRST}) {{ {_PAGE} nodes {{ {_SAID} "
    f"replies(first: {REPLIES}) {{ totalCount nodes {{ {_SAID} }} }} }} }}"
)


def threads(numbers: Sequence[tuple[int, bool]]) -> str:
    """The conversations of these: each a number, and whether it is a pull request."""
    asked = []
    for number, is_pull in numbers:
        kind, wanted = ("pullRequest", OF_PULL) if is_pull else ("issue", OF_ISSUE)
        parts = " ".join(_connection(each, f"first: {FIRST}") for each in wanted)
        asked.append(f"t{number}: {kind}(number: {number}) {{ {parts} }}")
    return _HEAD.format(name="Threads", more="") + _REPOSITORY.format(body="\n".join(asked))


def more(kind: str, connection: str) -> str:
    """The rest of one connection of an issue, pullRequest or discussion, by $number and $after."""
    head = _HEAD.format(name="More", more=", $number: Int!, $after: String!")
    part = _connection(connection, f"first: {MORE}, after: $after")
    if kind == "discussion":
        replies = f"replies(first: {REPLIES}) {{ totalCount nodes {{ {_SAID} }} }}"
        part = f"comments(first: {MORE}, after: $after) {{ {_PAGE} nodes {{ {_SAID} {replies} }} }}"
    body = f"more: {kind}(number: $number) {{ {part} }}"
    return head + _REPOSITORY.format(body=body)


def discussions(first: int) -> str:
    """A page of discussions, latest change first, after $after."""
    head = _HEAD.format(name="Discussions", more=", $after: String")
    order = "orderBy: {field: UPDATED_AT, direction: DESC}"
    body = (
        f"discussions(first: {first}, after: $after, {order}) "
        f"{{ totalCount {_PAGE} nodes {{ {DISCUSSION} }} }}"
    )
    return head + _REPOSITORY.format(body=body)


def discussion() -> str:
    head = _HEAD.format(name="Discussion", more=", $number: Int!")
    return head + _REPOSITORY.format(body=f"discussion(number: $number) {{ {DISCUSSION} }}")


def _connection(name: str, arguments: str) -> str:
    return f"{name}({arguments}) {{ {_PAGE} {CONNECTIONS[name]} }}"
