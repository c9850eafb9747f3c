"""How fast a credential may ask, in the provider's own units: one governor for all who use it.

Every provider has its own currency (GitHub's points, Gmail's quota units) and its own ways to say
no. A connector says what a call costs and what an answer told; the governor says when to go on. It
decides without sleeping, so that deciding can be tested and a wait can be told before it is waited.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import TypeVar

from connectors.errors import SourceUnavailable
from connectors.events import Waiting

RATE_LIMITED = "rate_limited"
_FIRST_STRIKE = timedelta(seconds=60)
_LONGEST_STRIKE = timedelta(minutes=16)
_QUIET = timedelta(seconds=2)  # a shorter wait is nothing to tell anybody
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``units`` in any span of ``per``, for the calls that are booked on ``pool``."""

    units: int
    per: timedelta
    pool: str = ""


@dataclass(slots=True)
class Governor:
    """Times are passed in, in UTC. Safe to share between threads."""

    rates: tuple[Rate, ...]
    _spent: dict[Rate, deque[tuple[datetime, int]]] = field(
        default_factory=dict[Rate, deque[tuple[datetime, int]]]
    )
    _until: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _strikes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def ask(self, cost: int, *, now: datetime, pool: str = "") -> datetime | None:
        """Book the cost and answer None; or book nothing and say when to ask again."""
        with self._lock:
            waits = [wait for rate in self._rates(pool) if (wait := self._full(rate, cost, now))]
            stops = [self._until[key] for key in {"", pool} if self._until.get(key, now) > now]
            if waits or stops:
                return max(waits + stops)
            for rate in self._rates(pool):
                self._spent[rate].append((now, cost))
            return None

    def pause(self, until: datetime, *, pool: str = "") -> None:
        """The provider named a time. Without ``pool``, nothing at all is asked until then."""
        with self._lock:
            self._until[pool] = max(until, self._until.get(pool, until))

    def strike(self, *, now: datetime, least: timedelta = _FIRST_STRIKE) -> datetime:
        """The provider said no and named no time: wait, and twice as long each time in a row."""
        with self._lock:
            wait = min(least * 2.0**self._strikes, _LONGEST_STRIKE)
            self._strikes += 1
        self.pause(now + wait)
        return now + wait

    def well(self) -> None:
        """An answer came: the next refusal is the first one again."""
        self._strikes = 0

    def _rates(self, pool: str) -> Sequence[Rate]:
        return [rate for rate in self.rates if rate.pool == pool]

    def _full(self, rate: Rate, cost: int, now: datetime) -> datetime | None:
        spent = self._spent.setdefault(rate, deque())
        while spent and spent[0][0] <= now - rate.per:
            spent.popleft()
        over = sum(units for _, units in spent) + cost - rate.units
        for when, units in spent:
            if over <= 0:
                return None
            over -= units
            if over <= 0:
                return when + rate.per
        return None  # it fits, or it never will: then the provider decides


@lru_cache(maxsize=1_000)
def shared(identity: str, rates: tuple[Rate, ...]) -> Governor:  # noqa: ARG001  # the cache's key
    """The governor of this process for whoever has this ``identity``: see ``identify``."""
    return Governor(rates)


def identify(*parts: str) -> str:
    """A name for a credential that says nothing of it."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Clock:
    """The edge where time is read and waited for."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(slots=True)
class Bell:
    """Where a wait is told, by whoever has to wait, to whoever is listening now."""

    _waits: "asyncio.Queue[Waiting] | None" = None

    def ring(self, waiting: Waiting) -> bool:
        """Whether somebody listens."""
        if self._waits is None:
            return False
        self._waits.put_nowait(waiting)
        return True

    async def over(self, pages: AsyncGenerator[Sequence[E]]) -> AsyncGenerator[E | Waiting]:
        """What is in the pages, and each wait as it begins, though the next page is not there yet.

        The next page is not asked for before all of this one was taken.
        """
        waits: asyncio.Queue[Waiting] = asyncio.Queue()
        self._waits = waits
        step: asyncio.Future[Sequence[E] | None] | None = None
        try:
            while True:
                step = asyncio.ensure_future(anext(pages, None))
                async for waiting in _heard(waits, step):
                    yield waiting
                page = step.result()
                if page is None:
                    return
                for event in page:
                    yield event
        finally:
            self._waits = None
            if step is not None:
                await _stop(step)
            await pages.aclose()


@dataclass(frozen=True, slots=True)
class Turnstile:
    """Lets one through when its governor allows it. ``patience``: how long to wait unheard."""

    governor: Governor
    bell: Bell = field(default_factory=Bell)
    clock: Clock = field(default_factory=Clock)
    patience: timedelta = timedelta(seconds=20)

    async def turn(self, cost: int, *, pool: str = "", reason: str = RATE_LIMITED) -> None:
        """Return when the call may be made, with its cost booked.

        A long wait is told by the bell. If nobody listens, it is not waited for: raises
        ``SourceUnavailable`` that says how long.
        """
        told: datetime | None = None
        while (until := self.governor.ask(cost, now=self.clock.now(), pool=pool)) is not None:
            wait = until - self.clock.now()
            if wait > _QUIET and until != told:
                told = until
                if not self.bell.ring(Waiting(reason, until)) and wait > self.patience:
                    raise SourceUnavailable("The source asked for a pause", retry_after=wait)
            await self.clock.sleep(max(wait.total_seconds(), 0.0))


async def _heard(
    waits: "asyncio.Queue[Waiting]", step: "asyncio.Future[E]"
) -> AsyncGenerator[Waiting]:
    while not step.done():
        heard = asyncio.ensure_future(waits.get())
        try:
            await asyncio.wait((step, heard), return_when=asyncio.FIRST_COMPLETED)
            if heard.done():
                yield heard.result()
        finally:
            await _stop(heard)


async def _stop(future: "asyncio.Future[E]") -> None:
    if not future.done():
        future.cancel()
        with suppress(asyncio.CancelledError):
            await future
