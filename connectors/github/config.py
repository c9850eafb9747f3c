"""What a user states about GitHub, and the places reads of it have come to."""

import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.events import Cursor
from connectors.local.config import Globs
from connectors.local.rules import InvalidPattern, Patterns

PUBLIC = "https://api.github.com"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
_PAGE = re.compile(r"(?:https?://)?(?:www\.)?github\.com/([^/]+/[^/?#]+?)(?:\.git)?(?:[/?#].*)?")

Part = Literal["code", "issues", "releases", "discussions"]
PARTS: tuple[Part, ...] = ("code", "issues", "releases", "discussions")
Sha = Annotated[str, Field(pattern="^[0-9a-f]{40,64}$")]


class GitHubConfig(BaseModel):
    """Repositories at GitHub or at a GitHub Enterprise Server; none named means all it can see."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    repositories: tuple[str, ...] = Field(
        default=(),
        max_length=1_000,
        title="Repositories",
        description="As owner/name.",
        examples=[["octocat/hello-world"]],
    )
    branch: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        title="Branch",
        description="The default branch if none is given.",
    )
    parts: tuple[Part, ...] = Field(
        default=PARTS, min_length=1, title="Parts", description="What is read of each repository."
    )
    include: Globs = Field(
        default=(),
        title="Only these files",
        description="Patterns as in .gitignore; when given, only files that match are read.",
    )
    exclude: Globs = Field(
        default=(),
        title="Not these files",
        description="Patterns as in .gitignore; files that match are left out.",
    )
    max_bytes: int = Field(
        default=1_000_000,
        ge=1,
        le=50_000_000,
        title="Largest file",
        description="Larger files are skipped, in bytes.",
    )
    base_url: str = Field(
        default=PUBLIC,
        max_length=500,
        title="Address of the API",
        description="Of a GitHub Enterprise Server: https://HOST/api/v3.",
    )

    @field_validator("repositories")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _NAME.fullmatch(name) or name.endswith(("/.", "/..")):
                raise ValueError("write each repository as owner/name")
        if len({name.lower() for name in names}) < len(names):
            raise ValueError("a repository is named twice")
        return names

    @field_validator("branch")
    @classmethod
    def _one_branch(cls, branch: str | None) -> str | None:
        if branch and (
            ".." in branch or not branch.isprintable() or set(branch) & set(" ~^:?*[\\")
        ):
            raise ValueError("that is no name of a branch")
        return branch

    @field_validator("include", "exclude")
    @classmethod
    def _matchable(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        try:
            Patterns(globs)
        except InvalidPattern as error:
            raise ValueError(str(error)) from error
        return globs

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError("give a whole address: https://HOST/api/v3")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("give the address alone, without a credential or a query")
        return url.rstrip("/")


def locate(text: str) -> dict[str, object] | None:
    """``owner/name``, or the address of any page of a repository at github.com."""
    page = _PAGE.fullmatch(text)
    name = page[1] if page else text.removesuffix(".git")
    return {"repositories": [name]} if _NAME.fullmatch(name) else None


class CodePlace(BaseModel):
    """``told`` of the files of ``commit`` have been, in an order that the commit alone decides.

    ``base`` is the tree of the read that was finished last; ``rules`` stands for the configuration
    that the order depends on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: Sha | None = None
    tree: Sha | None = None
    base: Sha | None = None
    rules: str = Field(default="", max_length=64)
    etag: str | None = Field(default=None, max_length=200)
    told: int = 0


class Feed(BaseModel):
    """A list ordered by its dates of change, read up to ``since``; ``etag`` of the look from there.

    ``told`` are the numbers at that very second, a few, to not tell them twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: datetime | None = None
    etag: str | None = Field(default=None, max_length=200)
    told: tuple[int, ...] = Field(default=(), max_length=200)


class ThreadsPlace(BaseModel):
    """``total`` have been told by the read under way.

    ``known`` were there when one was finished last, of which ``highest`` was the latest number: who
    finds fewer than these and the new ones knows that some were deleted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issues: Feed = Feed()
    comments: Feed = Feed()
    reviews: Feed = Feed()
    total: int = 0
    known: int = 0
    highest: int = 0


class ListPlace(BaseModel):
    """A list without dates of change: told up to ``after``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: str | None = Field(default=None, max_length=500)
    etag: str | None = Field(default=None, max_length=200)
    pinned: datetime | None = None  # what is newer was told by the pass that is under way
    since: datetime | None = None  # what is newer was told by a pass that was finished
    told: tuple[int, ...] = Field(default=(), max_length=200)  # at the pinned second
    off: bool = False  # the repository has no such part
    total: int = 0
    known: int = 0  # how many there were when a pass was finished
    highest: int = 0  # number that was told


class GitHubCursor(Cursor):
    """A place in one part of one repository. ``looked_at``: when the repository was asked for."""

    v: Literal[1] = 1
    repository: int | None = None
    looked_at: datetime | None = None
    code: CodePlace = CodePlace()
    threads: ThreadsPlace = ThreadsPlace()
    listed: ListPlace = ListPlace()
    done: bool = False
