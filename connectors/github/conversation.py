"""What was said about issues and pull requests: many conversations a question, none cut short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import ConnectorError, SourceUnavailable
from connectors.github import queries
from connectors.github.protocol import TooHeavy
from connectors.github.session import Session

Said = dict[str, list[Any]]
"""By connection: comments, reviews, reviewThreads."""

Answers = dict[int, Said | ConnectorError | None]
"""By number; None for what is not there any more."""

MOST_WEIGHT = 150
_WEIGHTS = {False: 1, True: 2}  # a pull request has reviews and threads too
_MOST_PAGES = 50  # of one conversation: 5,000 comments


class _Endless(SourceUnavailable):
    """One conversation goes round in circles; the others do not."""


@dataclass(frozen=True, slots=True)
class Conversations:
    session: Session
    repository: str

    async def of(self, numbers: Sequence[tuple[int, bool]]) -> Answers:
        """Each number comes with whether it is a pull request."""
        found: Answers = {}
        for batch in _batches(numbers):
            found |= await self._ask(batch)
        return found

    async def _ask(self, numbers: Sequence[tuple[int, bool]]) -> Answers:
        try:
            data = await self.session.graphql(queries.threads(numbers), self._variables())
        except TooHeavy as error:
            # GitHub gives a question ten seconds; half of it is answered in less.
            if len(numbers) == 1:
                return {numbers[0][0]: error}
            half = len(numbers) // 2
            return await self._ask(numbers[:half]) | await self._ask(numbers[half:])
        answers: Mapping[str, Any] = data.get("repository") or {}
        found: Answers = {}
        for number, is_pull in numbers:
            node = answers.get(f"t{number}")
            try:
                found[number] = await self._whole(number, is_pull, node) if node else None
            except _Endless as error:
                found[number] = error
        return found

    async def _whole(self, number: int, is_pull: bool, node: Mapping[str, Any]) -> Said:  # noqa: FBT001
        kind = "pullRequest" if is_pull else "issue"
        names = queries.OF_PULL if is_pull else queries.OF_ISSUE
        return {name: await self.rest(kind, number, name, node.get(name) or {}) for name in names}

    async def rest(
        self, kind: str, number: int, name: str, connection: Mapping[str, Any]
    ) -> list[Any]:
        """All of a connection whose first page this is, up to some thousands of nodes.

        Raises ``SourceUnavailable`` if GitHub names the same next page again and again.
        """
        nodes = [node for node in connection.get("nodes") or () if node]
        page = connection.get("pageInfo") or {}
        visited: set[str] = set()
        while page.get("hasNextPage") and len(visited) < _MOST_PAGES:
            after = str(page.get("endCursor"))
            if after in visited:
                raise _Endless(f"The {name} of #{number} have no end: a page follows itself")
            visited.add(after)
            variables = {**self._variables(), "number": number, "after": after}
            data = await self.session.graphql(queries.more(kind, name), variables)
            connection = ((data.get("repository") or {}).get("more") or {}).get(name) or {}
            nodes += [node for node in connection.get("nodes") or () if node]
            page = connection.get("pageInfo") or {}
        return nodes

    def _variables(self) -> dict[str, object]:
        owner, name = self.repository.split("/")
        return {"owner": owner, "name": name}


def _batches(numbers: Sequence[tuple[int, bool]]) -> Sequence[Sequence[tuple[int, bool]]]:
    batches: list[list[tuple[int, bool]]] = [[]]
    weight = 0
    for number, is_pull in numbers:
        weight += _WEIGHTS[is_pull]
        if weight > MOST_WEIGHT:
            batches.append([])
            weight = _WEIGHTS[is_pull]
        batches[-1].append((number, is_pull))
    return [batch for batch in batches if batch]
