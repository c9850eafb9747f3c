"""Many items, each on its own: one that fails is data, and none is done twice.

What is settled already is looked up first, hundreds at a time, and told first. Of the rest so many
are in hand at once; each is settled for good before it is told. So an attempt that dies loses what
was in hand, and the next one goes on there.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar

from pipelines.errors import (
    Explanation,
    HandedOver,
    ItemFailed,
    MustWait,
    WorkshopClosed,
    explain,
    longest,
)
from pipelines.records import Records, Settled
from storage.errors import StorageError

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8
LOOKED_UP = 500
TITLE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """``number`` is the item's place among all, from 0."""

    number: int
    item: T
    value: R


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    number: int
    item: T
    failure: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(Generic[T, R]):
    """How items are worked on: a component's call, and where its results are.

    ``address``: where the result of an item is kept for all runs, None if it is for this one only.
    """

    component: str
    work: Callable[[T], Awaitable[R]]
    key: Callable[[T], str]
    address: Callable[[T], str | None]
    dump: Callable[[R], Any]
    load: Callable[[Any], R]


@dataclass(slots=True, kw_only=True)
class Fanout(Generic[T, R]):
    """One walk over items. Equal ones, by their key, are worked on once and told each."""

    trade: Trade[T, R]
    items: Sequence[T]
    records: Records
    at_once: int = AT_ONCE
    _places: dict[str, list[int]] = field(init=False, default_factory=dict[str, list[int]])

    async def outcomes(self) -> AsyncGenerator[Done[T, R] | Failed[T]]:
        """What became of each. Raises ``MustWait`` if some have to, when the others are done."""
        for number, item in enumerate(self.items):
            self._places.setdefault(self._key(item), []).append(number)
        self.records.expect(self.trade.component, len(self._places))
        left: list[str] = []
        for keys in _parts(self._places, LOOKED_UP):
            known = await self._known(keys)
            left += [key for key in keys if key not in known]
            for key, end in known.items():
                for outcome in self._told(key, end):
                    yield outcome
        async for key, end in self._work(left):
            for outcome in self._told(key, end):
                yield outcome

    async def _known(self, keys: Sequence[str]) -> dict[str, R | Explanation]:
        """What needs no work; what another run has done is settled for this one, too."""
        settled = await self.records.settled(keys)
        shared = [key for key in keys if self._shared(key)]
        kept = await self.records.kept(shared)
        known: dict[str, R | Explanation] = {key: self.trade.load(kept[key]) for key in kept}
        for key, end in settled.items():
            if end.failure is not None:
                known[key] = end.failure
            elif not self._shared(key):
                known[key] = self.trade.load(end.value)
        old = {key: self._settled(key, new=False) for key in kept if key not in settled}
        if old:
            await self.records.settle(old)
        return known

    async def _work(self, keys: Iterable[str]) -> AsyncGenerator[tuple[str, R | Explanation]]:
        left, waits = iter(keys), list[MustWait]()
        hands: set[asyncio.Task[tuple[str, R | Explanation | MustWait]]] = set()
        try:
            while hands := hands | self._begun(left, len(hands), stop=bool(waits)):
                done, hands = await asyncio.wait(hands, return_when=asyncio.FIRST_COMPLETED)
                ends = [each.result() for each in done]
                waits += [end for _, end in ends if isinstance(end, MustWait)]
                told = [(key, end) for key, end in ends if not isinstance(end, MustWait)]
                for key, end in told:
                    yield key, end
        finally:
            for each in hands:
                each.cancel()
            await asyncio.gather(*hands, return_exceptions=True)
        if waits:
            raise longest(waits)
        if self.records.hands.stopping() and next(left, None) is not None:
            raise HandedOver

    def _begun(
        self, keys: Iterator[str], busy: int, *, stop: bool
    ) -> set[asyncio.Task[tuple[str, R | Explanation | MustWait]]]:
        """As many more as there is room for; none where the attempt stops."""
        room = 0 if stop or self.records.hands.stopping() else self.at_once - busy
        return {asyncio.create_task(self._one(key)) for key in islice(keys, room)}

    async def _one(self, key: str) -> tuple[str, R | Explanation | MustWait]:
        self.records.hands.keys.add(key)
        try:
            return await self._worked_on(key)
        finally:
            self.records.hands.keys.discard(key)

    async def _worked_on(self, key: str) -> tuple[str, R | Explanation | MustWait]:
        made = asyncio.create_task(self._made(self._item(key)))
        try:
            await asyncio.wait({made})
        finally:
            made.cancel()  # nothing, if it is done
        if made.cancelled():
            error: BaseException | None = ItemFailed("it was broken off")
        else:
            error = made.exception()
        if error is None:
            result, value = made.result()
            await self.records.settle({key: self._settled(key, value=value)})
            return key, result
        if isinstance(error, MustWait):
            return key, error
        if isinstance(error, _THE_RUNS) or not isinstance(error, Exception):
            raise error
        failure = explain(error)
        await self.records.settle({key: self._settled(key, failure=failure)})
        return key, failure

    async def _made(self, item: T) -> tuple[R, Any]:
        """The result, and as JSON: one that cannot be written down is the item's failure."""
        result = await self.trade.work(item)
        return result, self.trade.dump(result)

    def _told(self, key: str, end: R | Explanation) -> Iterator[Done[T, R] | Failed[T]]:
        for number in self._places[key]:
            item = self.items[number]
            if isinstance(end, Explanation):
                yield Failed(number, item, end)
            else:
                yield Done(number, item, end)

    def _settled(
        self,
        key: str,
        *,
        value: Any = None,
        failure: Explanation | None = None,
        new: bool = True,
    ) -> Settled:
        return Settled(
            component=self.trade.component,
            title=_title(self._item(key), self._places[key][0]),
            value=None if self._shared(key) else value,
            failure=failure,
            new=new,
        )

    def _item(self, key: str) -> T:
        return self.items[self._places[key][0]]

    def _key(self, item: T) -> str:
        stated = f"{self.trade.component}\n{self.trade.key(item)}"
        return self.trade.address(item) or hashlib.sha256(stated.encode()).hexdigest()

    def _shared(self, key: str) -> bool:
        return self.trade.address(self._item(key)) is not None


_THE_RUNS = (HandedOver, WorkshopClosed, StorageError)
"""Errors that are no item's: the attempt ends with them."""


def _parts(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(keys)
    while part := list(islice(iterator, size)):
        yield part


def _title(item: object, number: int) -> str:
    """What people know it by."""
    if isinstance(item, str | int):
        return str(item)[:TITLE_CHARACTERS]
    named = (getattr(item, name, None) for name in ("title", "name", "path", "url", "id"))
    known = next((str(each) for each in named if each), f"Item {number + 1}")
    return known[:TITLE_CHARACTERS]
