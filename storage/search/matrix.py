"""All vectors of a tenant in memory: exact nearest neighbours by one multiplication.

With 256 dimensions a chunk costs 1 KB of vector (floats of 4 bytes) and 12 bytes of names. 100,000
chunks are about 104 MB, and a search of them takes some 10 ms of one core.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.embedding import DIMENSION, Vectors
from storage.ids import ChunkId, ConnectionId

GONE = -1  # the group of a row whose chunk was deleted
ROWS_AT_FIRST = 1024
FLOOR = 0.0  # a vector that points away is no answer at all


@dataclass(frozen=True, slots=True)
class View:
    """The rows there were at a moment. May be searched in a thread while the matrix goes on."""

    ids: NDArray[np.int64]
    groups: NDArray[np.int32]
    vectors: Vectors
    wanted: tuple[int, ...] | None  # the groups to look in; None: all

    def nearest(self, query: Vectors, *, limit: int) -> list[ChunkId]:
        """The chunks most like ``query``, best first."""
        scores: Vectors = self.vectors @ query
        scores[self._wrong()] = -np.inf
        best = np.argsort(-scores) if limit >= len(scores) else _top(scores, limit)
        return [ChunkId(int(self.ids[row])) for row in best if scores[row] > FLOOR]

    def _wrong(self) -> NDArray[np.bool_]:
        if self.wanted is None:
            gone: NDArray[np.bool_] = self.groups == GONE
            return gone
        return np.isin(self.groups, self.wanted, invert=True)


class Matrix:
    """Rows in the order of their chunks' ids, which are never given twice.

    Appending and forgetting leave views that were taken before as they are, except that forgotten
    rows stop being found by them too.
    """

    def __init__(self, dimension: int = DIMENSION) -> None:
        self.dimension = dimension
        self.size = 0
        self.last = ChunkId(0)
        self.churn = 0  # rows that came or went since the last ``keep``
        self._numbers: dict[ConnectionId, int] = {}
        self._ids = np.zeros(ROWS_AT_FIRST, dtype=np.int64)
        self._groups = np.zeros(ROWS_AT_FIRST, dtype=np.int32)
        self._vectors: Vectors = np.zeros((ROWS_AT_FIRST, dimension), dtype=np.float32)

    def view(self, connections: Collection[ConnectionId] | None) -> View:
        numbers = self._numbers
        return View(
            self._ids[: self.size],
            self._groups[: self.size],
            self._vectors[: self.size],
            None
            if connections is None
            else tuple(numbers[each] for each in connections if each in numbers),
        )

    def append(
        self, ids: Sequence[ChunkId], connections: Sequence[ConnectionId], vectors: Vectors
    ) -> None:
        """Add rows, whose ids are above all that are here."""
        if not ids:
            return
        end = self.size + len(ids)
        self._reserve(end)
        self._ids[self.size : end] = ids
        self._groups[self.size : end] = [self._number(connection) for connection in connections]
        self._vectors[self.size : end] = vectors
        self.churn += len(ids)
        self.size, self.last = end, ids[-1]

    def forget(self, ids: Collection[ChunkId]) -> None:
        """These chunks are gone. Their rows are not found any more, and stay until ``keep``."""
        rows = np.isin(self._ids[: self.size], np.fromiter(ids, dtype=np.int64))
        self._groups[: self.size][rows] = GONE
        self.churn += int(rows.sum())

    def keep(self, ids: Collection[ChunkId], *, upto: ChunkId) -> None:
        """Drop every row up to ``upto`` that is not among ``ids``, and its memory."""
        known = self._ids[: self.size]
        rows = np.isin(known, np.fromiter(ids, dtype=np.int64)) | (known > upto)
        self._ids, self._groups = known[rows], self._groups[: self.size][rows]
        self._vectors = self._vectors[: self.size][rows]
        self.size, self.churn = len(self._ids), 0

    def _number(self, connection: ConnectionId) -> int:
        return self._numbers.setdefault(connection, len(self._numbers))

    def _reserve(self, rows: int) -> None:
        """Grow by half, so that appending stays cheap; what views hold is left where it is."""
        if rows <= len(self._ids):
            return
        more = max(rows, len(self._ids) * 3 // 2) - len(self._ids)
        self._ids = np.concatenate([self._ids, np.zeros(more, dtype=np.int64)])
        self._groups = np.concatenate([self._groups, np.zeros(more, dtype=np.int32)])
        fresh = np.zeros((more, self.dimension), dtype=np.float32)
        self._vectors = np.concatenate([self._vectors, fresh])


def _top(scores: Vectors, limit: int) -> NDArray[np.intp]:
    best = np.argpartition(-scores, limit)[:limit]
    return best[np.argsort(-scores[best], kind="stable")]
