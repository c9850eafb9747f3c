"""What a component may reach. Opened once an attempt, passed first, never imported."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pipelines.ledger import Ledger
from pipelines.library import Library, MemoryLibrary
from pipelines.llm.gateway import Caller, Gateway
from pipelines.vital import Vital
from pipelines.workshop import Workshop
from storage.ids import Attempt, RunId, TenantId


class Clock(Protocol):
    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float, /) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float, /) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class StoppedClock:
    """Time that passes only by being slept through; it remembers how."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Retrying:
    """A component failed and is tried again: attempt number ``attempt`` of ``of``, then ``at``."""

    component: str
    attempt: int
    of: int
    at: datetime
    reason: str


class Teller(Protocol):
    """Who is told what those who watch the run should know at once."""

    def retrying(self, news: Retrying) -> None: ...


class Silence:
    """Nobody watches."""

    def retrying(self, news: Retrying) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Whom a component may ask, and in whose name."""

    name: str
    gateway: Gateway
    asker: Caller

    def caller(self, purpose: str) -> Caller:
        """``purpose`` is the component that asks."""
        return replace(self.asker, purpose=purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    run: RunId
    attempt: Attempt
    tenant: TenantId
    ledger: Ledger
    workshop: Workshop
    library: Library = field(default_factory=MemoryLibrary)
    model: Model | None = None
    """None: no key is configured, and what can be done without one is done."""

    teller: Teller = field(default_factory=Silence)
    clock: Clock = field(default_factory=SystemClock)
    vital: Vital = field(default_factory=Vital)
    jitter: Callable[[], float] = random.random  # noqa: S311  # spreads retries, guards nothing
