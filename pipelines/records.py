"""What is done already, as a component sees it: by any run, and by this one.

Results that hold whatever run they are in are *kept*, and free for every later one. What became of
an item of this run, be it a result or a failure, is *settled*: no attempt of the run does it again.
When a method that writes returns, what it wrote outlives the process.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pipelines.errors import Explanation
from pipelines.ledger import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an item. ``value`` is JSON, None too if it is kept; ``failure`` says why not.

    ``title`` names the item to those who watch the run. ``new``: this run did it.
    """

    component: str
    title: str = ""
    value: Any = None
    failure: Explanation | None = None
    new: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as JSON, as its schema allows."""

    value: Any
    given_at: datetime


@dataclass(slots=True)
class Hands:
    """The items that are worked on, by key, and whether the attempt stops and begins no more."""

    keys: set[str] = field(default_factory=set[str])
    stopping: Callable[[], bool] = lambda: False


class Records(Protocol):
    @property
    def hands(self) -> Hands: ...

    async def kept(self, keys: Collection[str]) -> Mapping[str, Any]:
        """The results that any run has kept of these keys, as JSON."""
        ...

    async def keep(self, key: str, entry: Entry) -> None:
        """Keep a result for all runs. The first one stays. An item's is committed as it settles."""
        ...

    async def settled(self, keys: Collection[str]) -> Mapping[str, Settled]:
        """What became of these in this run."""
        ...

    async def settle(self, made: Mapping[str, Settled]) -> None:
        """Note what became of items, count it and tell it. What is settled stays as it is."""
        ...

    def expect(self, component: str, number: int) -> None:
        """So many items more are the component's to do."""
        ...

    async def answer(self, question: str) -> Answer | None:
        """What somebody answered to a question of this run; None while it is open."""
        ...

    async def charge(self) -> None:
        """Note what calls of models have cost that nothing was made of."""
        ...


@dataclass(slots=True)
class MemoryRecords:
    """Records as long as their process: for tests, and to try a component out."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    outcomes: dict[str, Settled] = field(default_factory=dict[str, Settled])
    expected: dict[str, int] = field(default_factory=dict[str, int])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    hands: Hands = field(default_factory=Hands)

    async def kept(self, keys: Collection[str]) -> Mapping[str, Any]:
        return {key: self.entries[key].value for key in keys if key in self.entries}

    async def keep(self, key: str, entry: Entry) -> None:
        self.entries.setdefault(key, entry)

    async def settled(self, keys: Collection[str]) -> Mapping[str, Settled]:
        return {key: self.outcomes[key] for key in keys if key in self.outcomes}

    async def settle(self, made: Mapping[str, Settled]) -> None:
        for key, settled in made.items():
            self.outcomes.setdefault(key, settled)

    def expect(self, component: str, number: int) -> None:
        self.expected[component] = self.expected.get(component, 0) + number

    async def answer(self, question: str) -> Answer | None:
        return self.answers.get(question)

    async def charge(self) -> None:
        """They cost nothing here."""
