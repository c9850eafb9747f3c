"""Names and listings as values: what git prints, what an id looks like, what comes first."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from posixpath import splitext

from connectors.artifact import ExternalId, Priority

MAX_NAME_BYTES = 1_000
# What an id cannot hold (it is printed, logged and put into JSON), and its own escape.
_UNSAFE = re.compile(r"[\x00-\x1f%\x7f\ud800-\udfff]")
# What a terminal or a page would obey instead of show: controls, bidirectional overrides.
_DECEPTIVE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_TREE_LINE = re.compile(
    r"(?P<mode>\d{6}) (?P<type>\w+) (?P<oid>[0-9a-f]{40,64}) +(?P<size>\d+|-|BAD)\t(?P<path>.+)",
    re.DOTALL,
)
_MANIFESTS = frozenset({
    "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "package.json", "cargo.toml",
    "go.mod", "pom.xml", "build.gradle", "build.gradle.kts", "composer.json", "gemfile",
    "mix.exs", "pubspec.yaml", "package.swift", "cmakelists.txt", "makefile", "dockerfile",
    "docker-compose.yml", "compose.yaml", "build.sbt", "deno.json", "meson.build",
})  # fmt: skip
_DOCUMENTS = frozenset({".md", ".mdx", ".rst", ".adoc", ".org", ".txt", ".tex"})
_DOCUMENT_FOLDERS = frozenset({"doc", "docs", "documentation", "adr", "wiki"})
_LATE_FOLDERS = frozenset({
    "test", "tests", "testing", "testdata", "__tests__", "spec", "specs", "e2e", "fixtures",
    "fixture", "example", "examples", "samples", "demo", "demos", "benchmark", "benchmarks",
})  # fmt: skip
_LATE_NAMES = re.compile(r"(?:^test_|_tests?\.|[._]spec\.|\.test\.|^conftest\.py$)")
_LATE_SUFFIXES = frozenset({".csv", ".tsv", ".svg", ".jsonl", ".ndjson", ".snap"})


class Nature(StrEnum):
    FILE = "file"
    FOLDER = "folder"  # one that is not looked into
    LINK = "link"
    SUBMODULE = "submodule"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree. ``path`` is relative; bytes that are no UTF-8 are surrogates in it."""

    path: str
    nature: Nature
    version: str
    size: int | None = None
    modified_ns: int | None = None

    @property
    def updated_at(self) -> datetime | None:
        if self.modified_ns is None:
            return None
        # A file may claim any year; what a date cannot hold is no date.
        seconds = min(max(self.modified_ns // 1_000_000_000, 0), 253_402_300_799)
        return datetime.fromtimestamp(seconds, tz=UTC)


def external_id(path: str) -> ExternalId:
    """The path as an id that any store can hold: escaped where needed, bounded, unique."""
    name = _UNSAFE.sub(_escaped, path)
    if len(name.encode()) > MAX_NAME_BYTES:
        # An escape has capital letters, so no short name can end like this.
        end = f"%{sha256(path.encode(errors='surrogateescape')).hexdigest()}"
        name = name.encode()[: MAX_NAME_BYTES - len(end)].decode(errors="ignore") + end
    return ExternalId(f"file:{name}")


def shown(path: str) -> str:
    """The path for people: harmless on a terminal and in a page, and valid UTF-8."""
    return _DECEPTIVE.sub("\N{REPLACEMENT CHARACTER}", path)


def tree_entries(lines: str) -> Iterator[Entry]:
    """What ``git ls-tree -r -z --long`` printed."""
    for line in filter(None, lines.split("\0")):
        match = _TREE_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"git ls-tree answered {shown(line)!r}")
        size = int(match["size"]) if match["size"].isdigit() else None
        yield Entry(match["path"], nature(match["mode"]), match["oid"], size)


def object_size(header: str) -> int | None:
    """The size in a header of ``git cat-file --batch``; None if the object is not there."""
    words = header.split(" ")
    return int(words[2]) if len(words) == 3 and words[2].isdigit() else None  # noqa: PLR2004


def priority(path: str, *, documentation: bool | None = None) -> Priority:
    """What a reader asks about first: what is this, how is it built, how is it used."""
    *above, name = path.lower().split("/")
    folders = frozenset(above)
    stem, suffix = splitext(name)
    late = bool(folders & _LATE_FOLDERS) or _LATE_NAMES.search(name) is not None
    if late or suffix in _LATE_SUFFIXES:
        return Priority.LATE
    if len(folders) <= 1 and name in _MANIFESTS:
        return Priority.FIRST
    if stem == "readme":
        return Priority.EARLY if folders else Priority.FIRST
    about = suffix in _DOCUMENTS or bool(folders & _DOCUMENT_FOLDERS)
    return Priority.EARLY if documentation or (documentation is None and about) else Priority.NORMAL


def nature(mode: str) -> Nature:
    match mode:
        case "120000":
            return Nature.LINK
        case "160000":
            return Nature.SUBMODULE
        case "100644" | "100755" | "100664":
            return Nature.FILE
        case _:
            return Nature.SPECIAL


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogateescape"))
