"""A gateway that calls only when all workers together may: the limiter around another gateway."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass

from opentelemetry import trace

from pipelines.errors import MustWait
from pipelines.llm import quotas
from pipelines.llm.charging import Charger, Charging
from pipelines.llm.errors import (
    AccountRefused,
    AnswerLost,
    ModelError,
    Paced,
    ProviderDown,
    Ramping,
    Reply,
    TooLong,
)
from pipelines.llm.gateway import (
    Answer,
    Call,
    Caller,
    EmbeddingCall,
    Embeddings,
    Gateway,
    Piece,
    Provenance,
)
from storage.errors import CallTooLarge, ProviderWaiting
from storage.events import WaitingReason
from storage.limits.broker import Broker, open_broker
from storage.limits.room import Room
from storage.limits.values import Amounts, Dimension, Ending, Outcome, PoolId, Terms, Urgency
from storage.limits.waiters import Grant

ENDINGS: tuple[tuple[type[ModelError], Ending], ...] = (
    (Ramping, Ending.RAMPING),
    (Paced, Ending.PACED),
    (ProviderDown, Ending.DOWN),
    (AnswerLost, Ending.DOWN),
    (AccountRefused, Ending.BLOCKED),
)
"""The special before the general; any other error proves that the provider works."""

PACE = "pace"
LEAST_SECONDS = 0.02
"""What is waited for less is how long it takes to ask."""

NANOSECONDS = 1_000_000_000

REASONS: Mapping[str, WaitingReason] = {
    "provider_down": WaitingReason.PROVIDER_DOWN,
    "rate_limited": WaitingReason.RATE_LIMITED,
    "blocked": WaitingReason.INPUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the limiter has to know of a call. ``cap`` is of output, in tokens."""

    model: str
    caller: Caller
    input_tokens: int
    cap: int


@dataclass(slots=True)
class _Told:
    """Who answered, once somebody did."""

    provenance: Provenance | None = None


@dataclass(slots=True, kw_only=True)
class Limited:
    """Waits for its turn in the pool before each call, and tells the pool how the call went.

    Raises what the gateway inside does, and ``MustWait`` as soon as the provider is known to take
    no calls for longer than the broker's patience of 90 s. A call that no window of the limit
    holds is ``TooLong``. Retries go outside, so that each one queues.
    """

    inner: Gateway
    broker: Broker
    charger: Charger

    async def ask(self, call: Call) -> Answer:
        asked = _asked(call)
        with self._settling(asked, await self._acquire(asked)) as told:
            answer = await self.inner.ask(call)
            told.provenance = answer.provenance
            return answer

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        asked = _asked(call)
        with self._settling(asked, await self._acquire(asked)) as told:
            async with aclosing(self.inner.stream(call)) as pieces:
                async for piece in pieces:
                    told.provenance = piece.provenance or told.provenance
                    yield piece

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        asked = _Asked(model=call.model, caller=call.caller, input_tokens=call.input_tokens, cap=0)
        with self._settling(asked, await self._acquire(asked)) as told:
            embeddings = await self.inner.embed(call)
            told.provenance = embeddings.provenance
            return embeddings

    async def _acquire(self, asked: _Asked) -> Grant:
        cost = self.charger.cost(
            model=asked.model,
            purpose=asked.caller.purpose,
            input_tokens=asked.input_tokens,
            cap=asked.cap,
        )
        try:
            with _queued(self.broker):
                return await self.broker.acquire(
                    tenant=str(asked.caller.tenant),
                    urgency=Urgency(asked.caller.service.value),
                    cost=cost,
                )
        except ProviderWaiting as error:
            reason = REASONS[error.reason]
            raise MustWait(reason, str(error), action=error.action, until=error.until) from error
        except CallTooLarge as error:
            raise TooLong(str(error), model=asked.model) from error

    @contextmanager
    def _settling(self, asked: _Asked, grant: Grant) -> Iterator[_Told]:
        """Whatever happens inside, a caller that goes away too: the grant is settled."""
        told, began = _Told(), asyncio.get_running_loop().time()
        outcome = Outcome(ending=Ending.ANSWERED)  # at unknown cost: as reserved
        try:
            yield told
            if told.provenance:
                seconds = asyncio.get_running_loop().time() - began
                outcome = self._answered(asked, told.provenance, seconds)
        except ModelError as error:
            outcome = self._failed(asked, error)
            raise
        finally:
            self.broker.settle(grant, outcome)

    def _answered(self, asked: _Asked, who: Provenance, seconds: float) -> Outcome:
        quota = quotas.read(who.headers)
        return Outcome(
            ending=Ending.ANSWERED,
            charged=self.charger.charged(
                model=asked.model,
                purpose=asked.caller.purpose,
                input_tokens=asked.input_tokens,
                usage=who.usage,
            ),
            remaining=quota.remaining,
            limits=quota.limits,
            seconds=seconds / max(1, who.usage.output),
        )

    def _failed(self, asked: _Asked, error: ModelError) -> Outcome:
        quota = quotas.read(error.reply.headers)
        ending = next((end for kind, end in ENDINGS if isinstance(error, kind)), Ending.ANSWERED)
        usage = error.reply.usage
        charged: Amounts | None = None
        if isinstance(error, ProviderDown) and _reached(error.reply):
            charged = {Dimension.REQUESTS: 1.0}  # failed requests count at OpenAI, their tokens not
        elif usage is not None:
            charged = self.charger.charged(
                model=asked.model,
                purpose=asked.caller.purpose,
                input_tokens=asked.input_tokens,
                usage=usage,
            )
        return Outcome(
            ending=ending,
            charged=charged,
            remaining=quota.remaining,
            limits=quota.limits,
            retry_after=error.retry_after,
        )


@asynccontextmanager
async def open_limited(
    inner: Gateway, *, room: Room, pool: PoolId, terms: Terms, charging: Charging
) -> AsyncGenerator[Limited]:
    """One for a process and a pool: all its calls go through the same broker and its two tasks."""
    async with open_broker(room, pool, terms) as broker:
        yield Limited(inner=inner, broker=broker, charger=Charger(charging))


@contextmanager
def _queued(broker: Broker) -> Iterator[None]:
    """A span for what was waited, if it is worth one, and for what."""
    began, before = time.time_ns(), broker.holding
    try:
        yield
    finally:
        after, seconds = broker.holding, (time.time_ns() - began) / NANOSECONDS
        if seconds >= LEAST_SECONDS:
            span = trace.get_tracer(__name__).start_span("queued", start_time=began)
            why = before if before != PACE else after
            span.set_attribute("headwater.queued.seconds", seconds)
            span.set_attribute("headwater.queued.reason", why)
            span.end()


def _asked(call: Call) -> _Asked:
    return _Asked(
        model=call.model,
        caller=call.caller,
        input_tokens=call.input_tokens,
        cap=call.max_output_tokens,
    )


def _reached(reply: Reply) -> bool:
    """Whether anybody answered at all; a call that timed out may have been charged in full."""
    return reply.status is not None
