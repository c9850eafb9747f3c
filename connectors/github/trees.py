"""A commit's files: listed whole, or folder by folder where GitHub cuts the list off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import SourceUnavailable
from connectors.github.protocol import Answer
from connectors.github.session import Session
from connectors.intake import Limits
from connectors.local.protocol import Entry, nature

_LIMITS = Limits(body_bytes=64_000_000)  # GitHub cuts at 7 MB; an Enterprise Server may not
_MAX_FOLDERS = 10_000


@dataclass(frozen=True, slots=True)
class Listing:
    """Files, links and submodules in the order of the tree, which is that of an archive."""

    sha: str
    entries: Sequence[Entry]


async def list_tree(session: Session, repository: str, name: str) -> Listing:
    """All of a tree or a commit's tree. Raises ``SourceMissing`` if there is none of this name."""
    first = _told(await _ask(session, repository, name, recursive=True))
    if not first["truncated"]:
        return Listing(first["sha"], _entries(first["tree"], ""))
    entries: list[Entry] = []
    folders = [(first["sha"], "")]
    seen = 0
    while folders:
        sha, above = folders.pop()
        seen += 1
        if seen > _MAX_FOLDERS:
            raise SourceUnavailable("The repository has more folders than GitHub lists")
        entries += await _walk(session, repository, (sha, above), folders)
    entries.sort(key=lambda entry: entry.path)
    return Listing(first["sha"], entries)


async def _walk(
    session: Session, repository: str, folder: tuple[str, str], folders: list[tuple[str, str]]
) -> Sequence[Entry]:
    """The files of a folder with all below it if they fit into one answer, else put off those."""
    sha, above = folder
    if above:  # the root was seen not to fit
        whole = _told(await _ask(session, repository, sha, recursive=True))
        if not whole["truncated"]:
            return _entries(whole["tree"], above)
    level = _told(await _ask(session, repository, sha, recursive=False))
    if level["truncated"]:
        raise SourceUnavailable(f"The folder {above or '/'} has more files than GitHub lists")
    below = [each for each in level["tree"] if each["type"] == "tree"]
    folders.extend((each["sha"], f"{above}{each['path']}/") for each in below)
    return _entries(level["tree"], above)


async def _ask(session: Session, repository: str, sha: str, *, recursive: bool) -> Answer:
    query = {"recursive": "1"} if recursive else {}
    path = f"/repos/{repository}/git/trees/{sha}"
    return await session.get(path, query, limits=_LIMITS)


def _told(answer: Answer) -> dict[str, Any]:
    value = answer.mapped()
    if not isinstance(value.get("tree"), list) or not isinstance(value.get("sha"), str):
        raise SourceUnavailable("GitHub did not answer with a tree")
    return {"truncated": False, **value}


def _entries(tree: Sequence[dict[str, Any]], above: str) -> list[Entry]:
    return [
        Entry(above + each["path"], nature(each["mode"]), each["sha"], each.get("size"))
        for each in tree
        if each["type"] != "tree"
    ]
