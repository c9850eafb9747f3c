"""What the connector needs of a place, be it a repository at a commit or a folder as it is."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from connectors.artifact import ExternalId
from connectors.errors import ConnectorError
from connectors.local.selection import Item, Skip

Content = bytes | Skip | ConnectorError


class Tree(Protocol):
    """The files of one place. ``commit`` is None where nothing can be pinned."""

    @property
    def commit(self) -> str | None: ...

    @property
    def description(self) -> str: ...

    def items(self) -> AsyncGenerator[Sequence[Item]]:
        """Yield all there is, judged, in no order."""
        ...

    async def contents(self, items: Sequence[Item]) -> Mapping[ExternalId, Content]:
        """Read these. None is missing in the answer."""
        ...


class Source(Protocol):
    async def tree(self, commit: str | None) -> Tree:
        """The tree of this commit, or of now. Raises ``CursorExpired`` if it is gone."""
        ...

    async def close(self) -> None: ...
