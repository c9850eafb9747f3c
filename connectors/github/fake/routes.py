"""What the fake GitHub answers to REST, path by path."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connectors.github.fake import shapes, tarball
from connectors.github.fake.faults import Fault, Script
from connectors.github.fake.world import Account, Repo, World
from connectors.github.protocol import when


@dataclass(frozen=True, slots=True)
class Reply:
    """``body`` is a value to be told as JSON, or bytes as they are."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who asks, for which repository, by which address."""

    world: World
    script: Script
    api: str
    account: Account | None
    repo: Repo
    path: str
    query: Mapping[str, str]
    accept: str
    rest: str = ""

    def listed(self, things: Sequence[tuple[datetime, dict[str, Any]]]) -> Reply:
        """A page of a list that is ordered by dates of change, as its query says."""
        since = when(self.query.get("since"))
        chosen = [each for each in things if since is None or each[0] >= since]
        chosen.sort(key=lambda each: (each[0], each[1]["id"]))
        if self.query.get("direction", "desc") == "desc":
            chosen.reverse()
        return self.paged([each for _, each in chosen])

    def paged(self, things: Sequence[dict[str, Any]]) -> Reply:
        size = min(int(self.query.get("per_page", 30)), 100)
        page = int(self.query.get("page", 1))
        last = max(-(-len(things) // size), 1)
        links = {"next": page + 1, "last": last} if page < last else {}
        if self.script.take(self.path, (Fault.EMPTY_PAGE,)):
            return Reply([], headers={"link": self._link({"next": page + 1})})
        headers = {"link": self._link(links)} if links else {}
        return Reply(things[(page - 1) * size : page * size], headers=headers)

    def _link(self, pages: Mapping[str, int]) -> str:
        told = []
        for rel, page in pages.items():
            query = urlencode({**self.query, "page": page})
            told.append(f'<{self.api}{self.path}?{query}>; rel="{rel}"')
        return ", ".join(told)


def missing() -> Reply:
    return Reply({"message": "Not Found", "documentation_url": "https://docs.github.com"}, 404)


def empty() -> Reply:
    return Reply({"message": "Git Repository is empty."}, 409)


def about(call: Call) -> Reply:
    return Reply(shapes.full_repository(call.api, call.repo))


def commit(call: Call) -> Reply:
    """The name alone, as asked for by its media type; with it as the etag, as GitHub documents."""
    head = call.repo.head
    if head is None:
        return empty()
    known = call.rest if call.rest in call.repo.commits else head
    headers = {"content-type": "application/vnd.github.sha; charset=utf-8", "etag": f'"{known}"'}
    return Reply(known.encode(), headers=headers)


def tree(call: Call) -> Reply:
    repo = call.repo
    sha = repo.commits.get(call.rest, call.rest)
    found = repo.trees.get(sha)
    if found is None:
        return missing()
    if call.query.get("recursive"):
        entries = found.walk()
    else:
        entries = [each for each in found.walk() if "/" not in each[0]]
    told = shapes.tree(call.api, repo, sha, entries)
    if call.query.get("recursive") and len(entries) > call.world.tree_entries:
        told |= {"tree": told["tree"][: call.world.tree_entries], "truncated": True}
    return Reply(told)


def blob(call: Call) -> Reply:
    content = call.repo.blobs.get(call.rest)
    if content is None:
        return missing()
    if "raw" in call.accept:
        return Reply(content, headers={"content-type": "application/vnd.github.raw"})
    return Reply(shapes.blob(call.api, call.repo, call.rest))


def archive(call: Call) -> Reply:
    if call.rest not in call.repo.commits:
        return missing()
    place = f"{call.api}/codeload/{call.repo.full_name}/legacy.tar.gz/{call.rest}"
    return Reply(b"", 302, {"location": place})


def codeload(call: Call) -> Reply:
    whole = tarball.archive(call.repo, call.rest)
    damages: dict[Fault, Callable[[bytes], bytes]] = {
        Fault.CUT_OFF: tarball.cut_in_the_middle,
        Fault.CUT_BETWEEN: tarball.cut_between_members,
        Fault.HALF: tarball.without_half,
    }
    fault = call.script.take(call.path, tuple(damages))
    body = damages[fault](whole) if fault else whole
    return Reply(body, headers={"content-type": "application/x-gzip"})


def issues(call: Call) -> Reply:
    state = call.query.get("state", "open")
    talks = [talk for talk in call.repo.talks.values() if state in {"all", talk.state}]
    return call.listed([(t.updated, shapes.issue(call.api, call.repo, t)) for t in talks])


def issue(call: Call) -> Reply:
    talk = call.repo.talks.get(int(call.rest))
    return Reply(shapes.issue(call.api, call.repo, talk)) if talk else missing()


def comments(call: Call) -> Reply:
    told = [
        (comment.updated, shapes.issue_comment(call.api, call.repo, talk, comment))
        for talk in call.repo.talks.values()
        for comment in talk.comments
    ]
    return call.listed(told)


def review_comments(call: Call) -> Reply:
    told = [
        (said.updated, shapes.review_comment(call.api, call.repo, talk, thread, said))
        for talk in call.repo.talks.values()
        for thread in talk.threads
        for said in thread.comments
    ]
    return call.listed(told)


def releases(call: Call) -> Reply:
    return call.paged([shapes.release(call.api, call.repo, each) for each in call.repo.releases])


def release(call: Call) -> Reply:
    found = [each for each in call.repo.releases if str(each.id) == call.rest]
    return Reply(shapes.release(call.api, call.repo, found[0])) if found else missing()


_NAME = r"(?P<name>[^/]+/[^/]+)"
ROUTES: Sequence[tuple[re.Pattern[str], Callable[[Call], Reply]]] = tuple(
    (re.compile(pattern), handler)
    for pattern, handler in (
        (rf"/repos/{_NAME}", about),
        (rf"/repos/{_NAME}/commits/(?P<rest>.+)", commit),
        (rf"/repos/{_NAME}/git/trees/(?P<rest>[0-9a-f]+)", tree),
        (rf"/repos/{_NAME}/git/blobs/(?P<rest>[0-9a-f]+)", blob),
        (rf"/repos/{_NAME}/tarball/(?P<rest>[0-9a-f]+)", archive),
        (rf"/codeload/{_NAME}/legacy.tar.gz/(?P<rest>[0-9a-f]+)", codeload),
        (rf"/repos/{_NAME}/issues", issues),
        (rf"/repos/{_NAME}/issues/comments", comments),
        (rf"/repos/{_NAME}/issues/(?P<rest>\d+)", issue),
        (rf"/repos/{_NAME}/pulls/comments", review_comments),
        (rf"/repos/{_NAME}/releases", releases),
        (rf"/repos/{_NAME}/releases/(?P<rest>\d+)", release),
    )
)


def visible(world: World, account: Account | None) -> Iterator[Repo]:
    for repo in world.repos.values():
        if not repo.private or (account is not None and account.sees_private):
            yield repo


def date(world: World) -> str:
    """The header of every answer, from which a crawl takes the time of its beginning."""
    return world.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
