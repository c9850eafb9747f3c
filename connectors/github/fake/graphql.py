"""What the fake GitHub answers to GraphQL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.github.fake.faults import Fault, Script
from connectors.github.fake.questions import Field, parse
from connectors.github.fake.world import Comment, Repo, Talk, Thread
from connectors.github.protocol import stamp

Resolve = Callable[[Field], Any]


def answer(
    script: Script, body: Mapping[str, Any], find: Callable[[str], Repo | None]
) -> dict[str, Any]:
    """The whole body of an answer. Raises ``ValueError`` for what is no query."""
    data: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for asked in parse(str(body.get("query")), body.get("variables") or {}):
        owner, name = asked.arguments.get("owner"), asked.arguments.get("name")
        repo = find(f"{owner}/{name}") if asked.name == "repository" else None
        if repo is None:
            message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            errors.append({"type": "NOT_FOUND", "path": [asked.alias], "message": message})
            data[asked.alias] = None
            continue
        value = _repository(script, repo)
        data[asked.alias] = asked.answered(value)
        for each in asked.fields:
            if data[asked.alias][each.alias] is None:
                message = f"Could not resolve {each.name}."
                path = [asked.alias, each.alias]
                errors.append({"type": "NOT_FOUND", "path": path, "message": message})
    return {"data": data} | ({"errors": errors} if errors else {})


def _repository(script: Script, repo: Repo) -> dict[str, Any]:
    def talk(*, pull: bool) -> Resolve:
        def found(asked: Field) -> Any:
            one = repo.talks.get(int(asked.arguments["number"]))
            return _talk(script, one) if one is not None and one.is_pull is pull else None

        return found

    def discussion(asked: Field) -> Any:
        one = repo.discussions.get(int(asked.arguments["number"]))
        return _discussion(script, one) if one is not None else None

    def discussions(asked: Field) -> Any:
        latest = sorted(
            repo.discussions.values(), key=lambda each: (each.updated, each.number), reverse=True
        )
        keys = [f"{stamp(each.updated)}|{each.number:09d}" for each in latest]
        after = asked.arguments.get("after")
        start = sum(1 for key in keys if after is not None and key >= after)
        return _connection(
            script, asked, [_discussion(script, each) for each in latest], keys, start
        )

    return {
        "issue": talk(pull=False),
        "pullRequest": talk(pull=True),
        "discussion": discussion,
        "discussions": discussions,
        "object": lambda asked: _blob(repo, str(asked.arguments.get("oid"))),
    }


def _blob(repo: Repo, sha: str) -> dict[str, Any] | None:
    content = repo.blobs.get(sha)
    if content is None:
        return None
    binary = b"\0" in content[:8_000]
    text = None if binary else content.decode(errors="replace")
    return {"text": text, "isBinary": binary, "isTruncated": False, "byteSize": len(content)}


def _talk(script: Script, talk: Talk) -> dict[str, Any]:
    reviews = [
        {
            "author": {"login": r.author},
            "createdAt": stamp(r.created),
            "body": r.body,
            "state": r.state,
        }
        for r in talk.reviews
    ]
    return {
        "comments": _listed(script, [_comment(script, each) for each in talk.comments]),
        "reviews": _listed(script, reviews),
        "reviewThreads": _listed(script, [_thread(script, each) for each in talk.threads]),
    }


def _discussion(script: Script, talk: Talk) -> dict[str, Any]:
    return {
        "number": talk.number,
        "title": talk.title,
        "url": f"https://github.com/discussions/{talk.number}",
        "body": talk.body,
        "createdAt": stamp(talk.created),
        "updatedAt": stamp(talk.updated),
        "author": {"login": talk.author},
        "category": {"name": "General"},
        "answer": None,
        "comments": _listed(script, [_comment(script, each) for each in talk.comments]),
    }


def _thread(script: Script, thread: Thread) -> dict[str, Any]:
    return {
        "path": thread.path,
        "line": thread.line,
        "isResolved": thread.resolved,
        "comments": _listed(script, [_comment(script, each) for each in thread.comments]),
    }


def _comment(script: Script, comment: Comment) -> dict[str, Any]:
    return {
        "author": {"login": comment.author},
        "createdAt": stamp(comment.created),
        "body": comment.body,
        "diffHunk": comment.hunk,
        "replies": _listed(script, [_comment(script, each) for each in comment.replies]),
    }


def _listed(script: Script, nodes: Sequence[Any]) -> Resolve:
    def page(asked: Field) -> Any:
        after = asked.arguments.get("after")
        start = int(after) if after is not None else 0
        keys = [str(place + 1) for place in range(len(nodes))]
        return _connection(script, asked, nodes, keys, start)

    return page


def _connection(
    script: Script, asked: Field, nodes: Sequence[Any], keys: Sequence[str], start: int
) -> dict[str, Any]:
    """A page of a connection, by the keys of its nodes."""
    size = int(asked.arguments.get("first") or 0)
    if not 0 < size <= 100:  # noqa: PLR2004
        raise ValueError("first has to be between 1 and 100")
    end = min(start + size, len(nodes))
    more = end < len(nodes)
    cursor = keys[end - 1] if end else None
    if more and asked.arguments.get("after") is not None:
        loop = script.take(asked.name, (Fault.CURSOR_LOOP,))
        cursor = str(asked.arguments["after"]) if loop else cursor
    info = {"hasNextPage": more, "endCursor": cursor}
    return {"totalCount": len(nodes), "pageInfo": info, "nodes": list(nodes[start:end])}
