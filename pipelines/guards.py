"""What may stand around a component. Each guard is a frozen value that fits on a screen."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from opentelemetry import trace

from connectors.errors import ConnectorError
from pipelines.component import Call
from pipelines.context import Retrying
from pipelines.errors import HandedOver, MustWait, StageFailed, WorkshopClosed
from pipelines.ledger import Entry
from storage.errors import StorageError
from storage.events import WaitingReason

R = TypeVar("R")

STAND_BY = timedelta(minutes=1)
"""A longer wait is not worth a worker's slot."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One span a call, named after the component."""

    async def __call__(self, call: Call[R], proceed: Callable[[Call[R]], Awaitable[R]]) -> R:
        with trace.get_tracer(__name__).start_as_current_span(call.component) as span:
            span.set_attribute("run.id", str(call.context.run))
            span.set_attribute("run.attempt", call.context.attempt)
            return await proceed(call)


@dataclass(frozen=True, slots=True)
class Boundary:
    """What nobody foresaw becomes a ``StageFailed`` that names the component and the cause.

    What the caller must decide about (a source or a server that is away, a run that must wait or
    was taken over) passes as it is, and so does cancellation.
    """

    async def __call__(self, call: Call[R], proceed: Callable[[Call[R]], Awaitable[R]]) -> R:
        try:
            return await proceed(call)
        except (StageFailed, HandedOver, MustWait, WorkshopClosed, ConnectorError, StorageError):
            raise
        except Exception as error:
            raise StageFailed(call.component, error) from error


@dataclass(frozen=True, slots=True)
class Once:
    """Equal keys are worked on once; later calls get the kept result, whatever run they are in.

    A change that makes other results of the same input raises ``version``. What is guarded must
    have no other effect than its result. When it returns, the result outlives the process; in a
    map, when its item is told.
    """

    version: int = 1

    async def __call__(self, call: Call[R], proceed: Callable[[Call[R]], Awaitable[R]]) -> R:
        key = self.address(call.component, call.key())
        kept = await call.context.records.kept([key])
        if key in kept:
            return call.returns.validate_python(kept[key])
        result = await proceed(call)
        value = call.returns.dump_python(result, mode="json")
        await call.context.records.keep(key, Entry(call.component, value))
        return result

    def address(self, component: str, key: str) -> str:
        """Where the ledger keeps the result."""
        return hashlib.sha256(f"{component}\n{self.version}\n{key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again on the named errors: when the error says, else after twice as long each time.

    If the error says to come back so late that a worker should not stand by, the run waits without
    one. This is the only layer that retries: Prefect and the transports do not.
    """

    on: tuple[type[Exception], ...]
    attempts: int = 3
    first_wait: timedelta = timedelta(seconds=0.5)
    longest_wait: timedelta = timedelta(minutes=5)

    async def __call__(self, call: Call[R], proceed: Callable[[Call[R]], Awaitable[R]]) -> R:
        try:
            return await proceed(call)
        except self.on as error:
            if call.attempt >= self.attempts:
                raise
            wait = self._wait(call, error)
            if (_asked(error) or STAND_BY) > STAND_BY:
                raise _let_go(error, call.context.clock.now() + wait) from error
            self._tell(call, error, wait)
        await call.context.clock.sleep(wait.total_seconds())
        return await self(replace(call, attempt=call.attempt + 1), proceed)

    def _wait(self, call: Call[R], error: Exception) -> timedelta:
        # Longer by chance, so that those who failed together do not come back together.
        asked = _asked(error)
        if asked is not None:
            return asked + self.first_wait * call.context.jitter()
        doubled = min(self.first_wait * 2.0 ** (call.attempt - 1), self.longest_wait)
        return doubled * (1 + call.context.jitter())

    def _tell(self, call: Call[R], error: Exception, wait: timedelta) -> None:
        news = Retrying(
            component=call.component,
            attempt=call.attempt + 1,
            of=self.attempts,
            at=call.context.clock.now() + wait,
            reason=str(error) or type(error).__name__,
        )
        call.context.teller.retrying(news)


def _asked(error: Exception) -> timedelta | None:
    asked = getattr(error, "retry_after", None)
    return asked if isinstance(asked, timedelta) else None


def _let_go(error: Exception, until: datetime) -> MustWait:
    return MustWait(
        WaitingReason.RATE_LIMITED,
        str(error) or "We were asked to come back later.",
        action="Nothing to do: it goes on by itself.",
        until=until,
    )


@dataclass(frozen=True, slots=True)
class Timeout:
    """Give up on a call after this long: it ends with ``TimeoutError``."""

    seconds: float

    async def __call__(self, call: Call[R], proceed: Callable[[Call[R]], Awaitable[R]]) -> R:
        try:
            async with asyncio.timeout(self.seconds):
                return await proceed(call)
        except TimeoutError as error:
            raise TimeoutError(f"{call.component} took longer than {self.seconds:g} s") from error
