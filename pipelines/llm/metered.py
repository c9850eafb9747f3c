"""What calls took: counted as they end, in tokens and money, and stopped where a budget ends.

What was answered badly was paid as well, where the provider tells: so this stands next to the
provider, inside of whatever asks again.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pipelines.context import Clock
from pipelines.errors import MustWait
from pipelines.llm.errors import ModelError
from pipelines.llm.gateway import (
    Answer,
    Call,
    Caller,
    EmbeddingCall,
    Embeddings,
    Gateway,
    Piece,
    Provenance,
    Usage,
)
from storage.counts import Counts
from storage.events import WaitingReason
from storage.money import NANOS, Budget, Prices, Spent, Used

RAISE_IT = "Raise the budget, or wait; the run goes on by itself."


@dataclass(slots=True)
class Tally:
    """What one attempt has used and not committed yet. ``total_nanos`` is all of the attempt."""

    prices: Prices
    total_nanos: int = 0
    _rows: dict[tuple[str, str], Used] = field(default_factory=dict[tuple[str, str], Used])

    def add(self, caller: Caller, model: str, usage: Usage) -> None:
        price = self.prices.of(model)
        cost = price.of(
            input_tokens=usage.input, cached_tokens=usage.cached, output_tokens=usage.output
        )
        before = self._rows.get((caller.purpose, model)) or Used(
            component=caller.purpose, model=model
        )
        self._rows[caller.purpose, model] = replace(
            before,
            calls=before.calls + 1,
            input_tokens=before.input_tokens + usage.input,
            cached_tokens=before.cached_tokens + usage.cached,
            output_tokens=before.output_tokens + usage.output,
            cost_nanos=before.cost_nanos + cost,
            unpriced=before.unpriced + (not price.known),
        )
        self.total_nanos += cost

    def take(self) -> list[Used]:
        """What has come since the last time, for one transaction to keep."""
        rows, self._rows = list(self._rows.values()), {}
        return rows


@dataclass(frozen=True, slots=True)
class Metered:
    inner: Gateway
    tally: Tally

    async def ask(self, call: Call) -> Answer:
        try:
            answer = await self.inner.ask(call)
        except ModelError as error:
            self._blame(call.caller, error)
            raise
        self._count(call.caller, answer.provenance)
        return answer

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        try:
            async with aclosing(self.inner.stream(call)) as pieces:
                async for piece in pieces:
                    self._count(call.caller, piece.provenance)
                    yield piece
        except ModelError as error:
            self._blame(call.caller, error)
            raise

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        try:
            made = await self.inner.embed(call)
        except ModelError as error:
            self._blame(call.caller, error)
            raise
        self._count(call.caller, made.provenance)
        return made

    def _count(self, caller: Caller, provenance: Provenance | None) -> None:
        if provenance is not None and not provenance.kept:
            self.tally.add(caller, provenance.model, provenance.usage)

    def _blame(self, caller: Caller, error: ModelError) -> None:
        if error.reply.usage is not None:
            self.tally.add(caller, error.model, error.reply.usage)


@dataclass(slots=True, kw_only=True)
class Budgeted:
    """Lets no call begin that could go over: ``MustWait`` until it is raised, or the month ends.

    ``before`` is what was spent when the attempt began. Other runs of the tenant spend at the same
    time, so its month can be over by what they have in flight.
    """

    inner: Gateway
    tally: Tally
    budget: Budget
    before: Spent
    clock: Clock
    _in_flight: int = 0

    async def ask(self, call: Call) -> Answer:
        reserved = self._reserve(call.model, call.input_tokens, call.max_output_tokens)
        try:
            return await self.inner.ask(call)
        finally:
            self._in_flight -= reserved

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        reserved = self._reserve(call.model, call.input_tokens, call.max_output_tokens)
        try:
            async with aclosing(self.inner.stream(call)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._in_flight -= reserved

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        reserved = self._reserve(call.model, call.input_tokens, 0)
        try:
            return await self.inner.embed(call)
        finally:
            self._in_flight -= reserved

    def _reserve(self, model: str, input_tokens: int, output_tokens: int) -> int:
        price = self.tally.prices.of(model)
        most = price.of(input_tokens=input_tokens, cached_tokens=0, output_tokens=output_tokens)
        mine = self.tally.total_nanos + self._in_flight + most
        if self.budget.run is not None and self.before.run + mine > self.budget.run:
            raise self._over("run", self.budget.run, until=None)
        if self.budget.month is not None and self.before.month + mine > self.budget.month:
            raise self._over("month", self.budget.month, until=_next_month(self.clock.now()))
        self._in_flight += most
        return most

    def _over(self, what: str, limit: int, *, until: datetime | None) -> MustWait:
        dollars = f"${limit / NANOS:,.2f}"
        return MustWait(
            WaitingReason.BUDGET,
            f"What models may cost in this {what} is used up ({dollars})",
            action=RAISE_IT if until else "Raise the run's budget.",
            until=until,
        )


def sums(rows: Iterable[Used]) -> Counts:
    """As the counts of a run name them."""
    return sum((_counts(row) for row in rows), Counts())


def _counts(row: Used) -> Counts:
    return Counts(
        model_calls=row.calls,
        input_tokens=row.input_tokens,
        cached_tokens=row.cached_tokens,
        output_tokens=row.output_tokens,
        cost_nanos=row.cost_nanos,
    )


def _next_month(moment: datetime) -> datetime:
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
