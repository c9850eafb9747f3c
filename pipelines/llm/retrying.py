"""Asking again, by what kind of no it was: the only layer that does.

A provider that is busy or away costs an item nothing: it is asked again as often as it takes, and
once that takes longer than a worker should stand by, the run waits without one. What was lost, at
unknown cost, is asked again a few times, and all that asking again is bounded for the whole process
by a budget, so that an outage does not double the load on whoever recovers from it.
"""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TypeVar

import structlog
from opentelemetry import trace

from pipelines.context import Clock
from pipelines.errors import MustWait
from pipelines.llm.begun import begin
from pipelines.llm.errors import (
    AnswerLost,
    CreditExhausted,
    ModelError,
    NotSupported,
    Paced,
    ProviderDown,
    Verdict,
)
from pipelines.llm.gateway import Answer, Call, Caller, EmbeddingCall, Embeddings, Gateway, Piece
from storage.events import WaitingReason

R = TypeVar("R")

STAND_BY = timedelta(minutes=1)
"""A longer wait is not worth a worker's slot."""

LOOK_AGAIN = timedelta(minutes=1)
ASK_AGAIN = timedelta(minutes=10)
"""How often an account that was refused is tried: its owner may have mended it."""

TRIES = 4
MOST_DIALECTS = 8
SAME_FAULT = 3
SERVER_ERROR = 500

log = structlog.get_logger()


@dataclass(slots=True)
class RetryBudget:
    """One retry for ten first tries, and one a second: Finagle's rule. In between one waits."""

    clock: Clock
    share: float = 0.1
    a_second: float = 1.0
    most: float = 20.0
    _level: float = 10.0
    _at: float | None = None

    def first_try(self) -> None:
        self._level = min(self.most, self._refilled() + self.share)

    def take(self) -> float:
        """Reserve a retry. Answers how many seconds from now it may begin."""
        self._level = self._refilled() - 1
        return max(0.0, -self._level / self.a_second)

    def _refilled(self) -> float:
        now = self.clock.monotonic()
        passed = now - (now if self._at is None else self._at)
        self._at = now
        return min(self.most, self._level + passed * self.a_second)


@dataclass(slots=True, kw_only=True)
class Retrying:
    """Around a gateway that asks once. ``queued``: a limiter inside waits out what is short."""

    inner: Gateway
    clock: Clock
    budget: RetryBudget
    queued: bool = False
    first_wait: timedelta = timedelta(seconds=0.5)
    jitter: Callable[[], float] = random.random  # noqa: S311  # spreads retries, guards nothing
    _answered: int = field(default=0, init=False)

    async def ask(self, call: Call) -> Answer:
        return await self._persist(lambda: self.inner.ask(call), call.caller)

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        return await self._persist(lambda: self.inner.embed(call), call.caller)

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        """Asked again only while nothing is out: nobody can take back what somebody has read."""
        begun = await self._persist(lambda: begin(self.inner.stream(call)), call.caller)
        async with aclosing(begun.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def _persist(self, attempt: Callable[[], Awaitable[R]], caller: Caller) -> R:
        patience = self._patience(caller)
        while True:
            try:
                answer = await attempt()
            except ModelError as error:
                await patience.after(error)
            else:
                self._answered += 1
                return answer

    def _patience(self, caller: Caller) -> "_Patience":
        self.budget.first_try()
        return _Patience(self, caller, self.clock.now(), self._answered)

    @property
    def answered(self) -> int:
        """Calls that were, in this process: the provider works for others."""
        return self._answered


@dataclass(slots=True)
class _Patience:
    """One call's: how often it failed, and since when."""

    around: Retrying
    caller: Caller
    began: datetime
    answered_before: int
    _waits: "count[int]" = field(default_factory=count)
    _tries: int = 1
    _dialects: int = 0
    _faults: int = 0

    async def after(self, error: ModelError) -> None:
        """Return when it should be asked again; raise what there is to be done otherwise."""
        match error.verdict:
            case Verdict.QUEUE | Verdict.WAIT:
                await self._wait(self._certain(error))
            case Verdict.RETRY:
                await self._retry(error)
            case Verdict.ASK:
                raise self._must_wait(error, ASK_AGAIN) from error
            case Verdict.ADAPT | Verdict.FAIL:
                raise error

    def _certain(self, error: ModelError) -> ModelError:
        """An error of the server's that only this call meets, time after time, is this call's."""
        if error.reply.status != SERVER_ERROR:
            return error
        self._faults += 1
        others = self.around.answered - self.answered_before
        if self._faults >= SAME_FAULT and others >= SAME_FAULT - 1:
            message = "The model's provider fails at this, again and again"
            raise AnswerLost(message, model=error.model, reply=error.reply) from error
        return error

    async def _wait(self, error: ModelError) -> None:
        now = self.around.clock.now()
        wait = error.retry_after or self._backoff()
        late = now + wait - self.began > STAND_BY
        if late or self._too_late(now + wait):
            long = isinstance(error, Paced) and error.retry_after is not None
            raise self._must_wait(error, wait if long else max(wait, LOOK_AGAIN)) from error
        if not (self.around.queued and isinstance(error, Paced)):
            await self._sleep(error, wait.total_seconds())

    async def _retry(self, error: ModelError) -> None:
        if isinstance(error, NotSupported):
            self._dialects += 1
            if self._dialects > MOST_DIALECTS:
                raise error
            return
        self._tries += 1
        if self._tries > TRIES:
            raise error
        backoff = self._backoff().total_seconds()
        await self._sleep(error, max(backoff, self.around.budget.take()))

    def _backoff(self) -> timedelta:
        doubled = self.around.first_wait * 2.0 ** min(next(self._waits), 6)
        return doubled * (1 + self.around.jitter())

    def _too_late(self, moment: datetime) -> bool:
        return self.caller.deadline is not None and moment > self.caller.deadline

    async def _sleep(self, error: ModelError, seconds: float) -> None:
        log.info(
            "model.asked_again",
            error=type(error).__name__,
            status=error.reply.status,
            seconds=round(seconds, 2),
            purpose=self.caller.purpose,
        )
        trace.get_current_span().add_event(
            "asked again", {"error.type": error.code, "seconds": seconds}
        )
        await self.around.clock.sleep(seconds)

    def _must_wait(self, error: ModelError, wait: timedelta) -> MustWait:
        return MustWait(
            _reason(error),
            str(error),
            action=error.action,
            until=self.around.clock.now() + wait,
        )


def _reason(error: ModelError) -> WaitingReason:
    if isinstance(error, Paced):
        return WaitingReason.RATE_LIMITED
    if isinstance(error, ProviderDown):
        return WaitingReason.PROVIDER_DOWN
    if isinstance(error, CreditExhausted):
        return WaitingReason.BUDGET
    return WaitingReason.INPUT
