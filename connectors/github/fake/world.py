"""What the fake GitHub holds, and the ways to change it. Its time goes on only with its changes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.github.protocol import blob_sha, stamp

FILE, LINK, SUBMODULE = "100644", "120000", "160000"
Files = Mapping[str, bytes]


@dataclass(slots=True)
class Comment:
    id: int
    author: str
    body: str
    created: datetime
    updated: datetime
    replies: "list[Comment]" = field(default_factory=list["Comment"])
    hunk: str = ""


@dataclass(slots=True)
class Review:
    author: str
    body: str
    state: str
    created: datetime


@dataclass(slots=True)
class Thread:
    """A review thread, on a line of a file."""

    path: str
    line: int
    comments: list[Comment]
    resolved: bool = False


@dataclass(slots=True)
class Talk:
    """An issue, a pull request or a discussion."""

    number: int
    title: str
    body: str
    author: str
    created: datetime
    updated: datetime
    is_pull: bool = False
    state: str = "open"
    labels: tuple[str, ...] = ()
    comments: list[Comment] = field(default_factory=list[Comment])
    reviews: list[Review] = field(default_factory=list[Review])
    threads: list[Thread] = field(default_factory=list[Thread])


@dataclass(slots=True)
class Release:
    id: int
    tag: str
    body: str
    author: str
    created: datetime


@dataclass(slots=True)
class Tree:
    """One folder: names with mode and SHA; what is below a folder is a tree of its own."""

    sha: str
    files: dict[str, tuple[str, str]]
    folders: "dict[str, Tree]"

    def walk(self, above: str = "") -> "list[tuple[str, str, str]]":
        """Paths, modes and SHAs of all below, in git's order, folders too."""
        names = {name: name for name in self.files} | {f"{name}/": name for name in self.folders}
        found: list[tuple[str, str, str]] = []
        for key in sorted(names, key=str.encode):
            name = names[key]
            if key.endswith("/"):
                found.append((above + name, "040000", self.folders[name].sha))
                found += self.folders[name].walk(f"{above}{name}/")
            else:
                found.append((above + name, *self.files[name]))
        return found


@dataclass(slots=True)
class Repo:
    id: int
    full_name: str
    private: bool = False
    has_discussions: bool = False
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    trees: dict[str, Tree] = field(default_factory=dict[str, Tree])
    commits: dict[str, str] = field(default_factory=dict[str, str])
    head: str | None = None
    talks: dict[int, Talk] = field(default_factory=dict[int, Talk])
    discussions: dict[int, Talk] = field(default_factory=dict[int, Talk])
    releases: list[Release] = field(default_factory=list[Release])


@dataclass(slots=True)
class Account:
    login: str
    scopes: tuple[str, ...] = ("repo", "read:user")
    sees_private: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was made, and how it was answered."""

    method: str
    path: str
    query: str
    conditional: bool
    status: int


@dataclass(slots=True)
class World:
    """``accounts`` are by token. ``changing`` is called before each request is answered."""

    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    repos: dict[str, Repo] = field(default_factory=dict[str, Repo])
    installed: dict[str, str] = field(default_factory=dict[str, str])
    """Tokens to be made, by the number of the installation; without one it is gone."""

    moved: dict[str, str] = field(default_factory=dict[str, str])
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    asked: list[Asked] = field(default_factory=list[Asked])
    remaining: int = 5_000
    tree_entries: int = 100_000
    changing: "Callable[[World], None] | None" = None
    _ids: int = 1_000

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    def tick(self, seconds: int = 1) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def add_repo(
        self, full_name: str, files: Files | None = None, *, private: bool = False
    ) -> Repo:
        repo = self.repos[full_name.lower()] = Repo(self.next_id(), full_name, private)
        if files:
            self.push(repo, files)
        return repo

    def rename(self, repo: Repo, full_name: str) -> None:
        """As GitHub does: the old name leads to the new one until somebody takes it."""
        del self.repos[repo.full_name.lower()]
        self.moved[repo.full_name.lower()] = full_name
        repo.full_name = full_name
        self.repos[full_name.lower()] = repo

    def push(self, repo: Repo, files: Files, *, remove: Sequence[str] = ()) -> str:
        """Commit these on top of what is there; answers the commit."""
        for path in remove:
            repo.files.pop(path, None)
        for path, content in files.items():
            repo.files[path] = (FILE, content)
        return self.commit(repo)

    def commit(self, repo: Repo) -> str:
        for _, content in repo.files.values():
            repo.blobs[blob_sha(content)] = content
        listing = {path: (mode, blob_sha(content)) for path, (mode, content) in repo.files.items()}
        tree = _tree(listing, repo.trees)
        when = stamp(self.tick())
        commit = hashlib.sha1(
            f"{repo.head} {tree.sha} {when}".encode(), usedforsecurity=False
        ).hexdigest()
        repo.commits[commit] = tree.sha
        repo.head = commit
        return commit

    def force_push(self, repo: Repo, files: Files) -> str:
        """Put another history in place of this one, and collect what nothing leads to now."""
        repo.files = {path: (FILE, content) for path, content in files.items()}
        repo.blobs.clear()
        repo.trees.clear()
        repo.commits.clear()
        return self.commit(repo)

    def open(self, repo: Repo, title: str, body: str = "", **more: object) -> Talk:
        """An issue, or with ``is_pull`` a pull request."""
        number = max([*repo.talks, *repo.discussions, 0]) + 1
        when = self.tick()
        talk = Talk(number, title, body, "ada", when, when)
        for name, value in more.items():
            setattr(talk, name, value)
        repo.talks[number] = talk
        return talk

    def discuss(self, repo: Repo, title: str, body: str = "") -> Talk:
        repo.has_discussions = True
        number = max([*repo.talks, *repo.discussions, 0]) + 1
        when = self.tick()
        talk = repo.discussions[number] = Talk(number, title, body, "ada", when, when)
        return talk

    def comment(self, talk: Talk, body: str, author: str = "bob") -> Comment:
        when = self.tick()
        comment = Comment(self.next_id(), author, body, when, when)
        talk.comments.append(comment)
        talk.updated = when
        return comment

    def edit_comment(self, comment: Comment, body: str) -> None:
        """As on GitHub at its worst: the issue's own date does not tell of it."""
        comment.body = body
        comment.updated = self.tick()

    def review(self, talk: Talk, body: str, hunk: str, state: str = "APPROVED") -> Thread:
        when = self.tick()
        talk.reviews.append(Review("eve", body, state, when))
        said = Comment(self.next_id(), "eve", "Why this?", when, when, hunk=hunk)
        thread = Thread("src/app.py", 3, [said])
        talk.threads.append(thread)
        talk.updated = when
        return thread

    def edit(self, talk: Talk, body: str) -> None:
        talk.body = body
        talk.updated = self.tick()

    def release(self, repo: Repo, tag: str, body: str) -> Release:
        release = Release(self.next_id(), tag, body, "ada", self.tick())
        repo.releases.insert(0, release)
        return release


def _tree(listing: Mapping[str, tuple[str, str]], known: dict[str, Tree]) -> Tree:
    """Nested trees of the paths, each under its SHA in ``known``."""
    files: dict[str, tuple[str, str]] = {}
    below: dict[str, dict[str, tuple[str, str]]] = {}
    for path, entry in listing.items():
        folder, slash, rest = path.partition("/")
        if slash:
            below.setdefault(folder, {})[rest] = entry
        else:
            files[path] = entry
    folders = {name: _tree(paths, known) for name, paths in below.items()}
    told = sorted((name, mode, sha) for name, (mode, sha) in files.items())
    told += sorted((name, "040000", tree.sha) for name, tree in folders.items())
    sha = hashlib.sha1(repr(told).encode(), usedforsecurity=False).hexdigest()
    known[sha] = Tree(sha, files, folders)
    return known[sha]
