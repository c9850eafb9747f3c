"""How an attempt gets on: written where it works, read by the thread that beats for it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from storage.ids import Attempt, RunId

Mine = tuple[RunId, Attempt]
"""An attempt at a run, in this process."""

PATIENCE = timedelta(seconds=120)
"""How long a step may take without progress, unless it says otherwise."""

SOURCE_PATIENCE = timedelta(minutes=15)
"""A clone of a large repository, or a listing that a server prepares, says nothing for long."""


@dataclass(slots=True)
class Vital:
    """Plain values, so that another thread may read them at any moment."""

    steps: int = 0
    patience: timedelta = PATIENCE
    _holds: list[timedelta] = field(default_factory=list[timedelta])

    def advance(self) -> None:
        """Something is done: a page, an item, a commit. Who works for long calls it as it goes."""
        self.steps += 1

    @contextmanager
    def holding(self, span: timedelta) -> Generator[None]:
        """Say that a step may take so long without ``advance``; after that it counts as stalled."""
        self._holds.append(span)
        self.patience = max(PATIENCE, *self._holds)
        try:
            yield
        finally:
            self._holds.remove(span)
            self.patience = max([PATIENCE, *self._holds])
            self.advance()
