"""What a user states about a local source, and the place a read of it has come to."""

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.events import Cursor
from connectors.local.rules import InvalidPattern, Patterns

Globs = Annotated[tuple[Annotated[str, Field(max_length=500)], ...], Field(max_length=100)]


class LocalConfig(BaseModel):
    """A folder or git repository that the worker can reach under ``path``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: str = Field(
        min_length=1,
        max_length=4096,
        title="Path",
        description="Absolute path of a folder or git repository on the worker's machine.",
        examples=["/srv/code/project"],
    )
    include: Globs = Field(
        default=(),
        title="Only these",
        description="Patterns as in .gitignore; when given, only files that match are read.",
        examples=[["*.md", "src/"]],
    )
    exclude: Globs = Field(
        default=(),
        title="Not these",
        description="Patterns as in .gitignore; files that match are left out.",
        examples=[["*.csv", "archive/"]],
    )
    max_bytes: int = Field(
        default=1_000_000,
        ge=1,
        le=50_000_000,
        title="Largest file",
        description="Larger files are skipped, in bytes.",
    )

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        # Another process reads than the one that was asked: it has another home and another
        # working folder, so neither "~" nor a relative path means to it what the user meant.
        if path.startswith("~"):
            raise ValueError("write the home folder out: '~' means another place to the worker")
        if "\0" in path or not PurePath(path).is_absolute():
            raise ValueError("give an absolute path: the worker runs in another folder")
        return str(PurePath(path))

    @field_validator("include", "exclude")
    @classmethod
    def _matchable(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        try:
            Patterns(globs)
        except InvalidPattern as error:
            raise ValueError(str(error)) from error
        return globs


class LocalCursor(Cursor):
    """A place in the reading order: everything up to ``after`` has been told.

    ``commit`` pins what a git repository is read at; a plain folder has none. Reading order is
    ``(rank, depth of after, after)``; whoever changes the order raises ``v``.
    """

    v: Literal[1] = 1
    commit: str | None = Field(default=None, pattern="^[0-9a-f]{40,64}$")
    rank: int = 0
    after: str = Field(default="", max_length=2_000)
    done: bool = False
