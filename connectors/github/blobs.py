"""Single files' contents by their names in git: many small ones a question, or one alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import ConnectorError, SourceMissing, SourceUnavailable
from connectors.github.protocol import TooHeavy, blob_sha
from connectors.github.session import RAW, Session
from connectors.intake import Limits
from connectors.local.protocol import Entry

Contents = dict[str, bytes | ConnectorError]
"""By blob SHA."""

TOGETHER = 50
_TOGETHER_BYTES = 1_000_000
# GitHub's text of a larger file is cut off, and that of a binary one is not there.
_ALONE_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class Blobs:
    session: Session
    repository: str
    max_bytes: int

    async def read(self, entries: Sequence[Entry]) -> Contents:
        """Read these, each checked by its name. None is missing in the answer."""
        found: Contents = {}
        wanted = {entry.version: entry for entry in entries}
        if await self.session.may_ask_graphql():
            for batch in _batches(list(wanted.values())):
                found |= await self._together(batch)
        for sha in wanted.keys() - found.keys():
            found[sha] = await self._alone(sha)
        return found

    async def _together(self, batch: Sequence[Entry]) -> Mapping[str, bytes]:
        """What of these is text as it is in git; the rest has to be asked for alone."""
        owner, name = self.repository.split("/")
        asked = "\n".join(
            f'b{number}: object(oid: "{entry.version}") {{ ... on Blob {{ text isTruncated }} }}'
            for number, entry in enumerate(batch)
        )
        query = (
            "query Blobs($owner: String!, $name: String!) "
            f"{{ repository(owner: $owner, name: $name) {{ {asked} }} }}"
        )
        try:
            data = await self.session.graphql(query, {"owner": owner, "name": name})
        except TooHeavy:
            return {}
        answers: dict[str, Any] = data.get("repository") or {}
        found: dict[str, bytes] = {}
        for number, entry in enumerate(batch):
            text = (answers.get(f"b{number}") or {}).get("text")
            content = text.encode(errors="replace") if isinstance(text, str) else None
            # A text that is not UTF-8 is told as if it were: then it is another content.
            if content is not None and blob_sha(content) == entry.version:
                found[entry.version] = content
        return found

    async def _alone(self, sha: str) -> bytes | ConnectorError:
        limits = Limits(body_bytes=self.max_bytes + 1_000, free_bytes=self.max_bytes)
        path = f"/repos/{self.repository}/git/blobs/{sha}"
        try:
            answer = await self.session.get(path, accept=RAW, limits=limits)
        except SourceMissing as error:
            return error
        if blob_sha(answer.body) != sha:
            return SourceUnavailable("GitHub answered with another file's content")
        return answer.body


def _batches(entries: Sequence[Entry]) -> Sequence[Sequence[Entry]]:
    batches: list[list[Entry]] = [[]]
    size = 0
    for entry in entries:
        if (entry.size or 0) > _ALONE_BYTES:
            continue
        size += entry.size or 0
        if len(batches[-1]) >= TOGETHER or size > _TOGETHER_BYTES:
            batches.append([])
            size = entry.size or 0
        batches[-1].append(entry)
    return [batch for batch in batches if batch]
