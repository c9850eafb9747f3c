"""The gateways of a process put together, and those of one attempt around them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pipelines.context import Clock, Model, SystemClock
from pipelines.llm.fallback import FallingBack
from pipelines.llm.gateway import Caller, Gateway, ServiceClass
from pipelines.llm.metered import Budgeted, Metered, Tally
from pipelines.llm.pools import open_pools
from pipelines.llm.provider import open_provider
from pipelines.llm.questions import READ, Asking
from pipelines.llm.reading import ModelReader
from pipelines.llm.retrying import RetryBudget, Retrying
from pipelines.llm.settings import ModelSettings
from pipelines.llm.traced import Traced
from pipelines.llm.vectors import Embedder
from pipelines.workflow import INGEST
from storage import profiles
from storage.connections import Connection
from storage.database import Database, Tx
from storage.indexes import Index
from storage.models import Models
from storage.money import Budget, Prices, Spent, usage
from storage.money.prices import load
from storage.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """A process's. ``gateway`` asks once; ``queued``: it waits out by itself what is limited."""

    gateway: Gateway
    model: str
    prices: Prices
    retries: RetryBudget
    clock: Clock
    fallbacks: tuple[str, ...] = ()
    embedding_model: str | None = None
    """None: vectors are made without a network."""

    queued: bool = False
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    local: bool = False
    content_in_spans: bool = False

    @property
    def models(self) -> Models:
        """What estimates have to know of it."""
        return Models(
            reads=self.model,
            price=self.prices.of(self.model),
            embeds=self.embedding_model,
            embedding_price=self.prices.of(self.embedding_model or self.model),
            prices_source=self.prices.source,
            prices_date=self.prices.date,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            local=self.local,
        )

    @property
    def reader(self) -> Mapping[str, Any]:
        """What a run tells of who reads."""
        return {"producer": READ.address, "model": self.model, "note": None}

    def attempt(self, *, budget: Budget, before: Spent) -> tuple[Gateway, Tally]:
        """The gateway of one attempt, and what counts all that it uses."""
        tally = Tally(self.prices)
        metered = Metered(self.gateway, tally)
        budgeted = Budgeted(
            inner=metered, tally=tally, budget=budget, before=before, clock=self.clock
        )
        retrying = Retrying(
            inner=FallingBack(budgeted, self.fallbacks),
            clock=self.clock,
            budget=self.retries,
            queued=self.queued,
        )
        return Traced(retrying, self.prices, content=self.content_in_spans), tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Thoughts:
    """One attempt's: whom it asks, who reads for it, and what that used."""

    model: Model
    reader: ModelReader
    tally: Tally
    told: Mapping[str, Any]

    def embedder(self, index: Index) -> Embedder:
        """Who makes vectors for an index of a provider's model."""
        return Embedder(
            gateway=self.model.gateway,
            model=index.model,
            dimension=index.dimension,
            caller=self.model.caller("embed"),
        )


async def recall(
    tx: Tx, thinking: Thinking | None, run: Run, connection: Connection | None
) -> Thoughts | None:
    """An attempt's, going on from what the run has spent. None where no model reads."""
    if thinking is None:
        return None
    gateway, tally = thinking.attempt(
        budget=await usage.budget(tx, run.tenant, run.id),
        before=await usage.spent(tx, run.tenant, run.id),
    )
    caller = Caller(purpose="read", tenant=run.tenant, run=run.id, service=_service(run))
    asking = Asking(
        model=thinking.model,
        profile=profiles.parse(connection.profile if connection else None),
        caller=caller,
    )
    return Thoughts(
        model=Model(name=thinking.model, gateway=gateway, asker=caller),
        reader=ModelReader(gateway=gateway, asking=asking),
        tally=tally,
        told=thinking.reader,
    )


def _service(run: Run) -> ServiceClass:
    """Who waits for an answer comes first, then who watches an ingestion; a schedule can wait."""
    if run.workflow != INGEST:
        return ServiceClass.INTERACTIVE
    return ServiceClass.SCHEDULED if run.scheduled else ServiceClass.ONBOARDING


@asynccontextmanager
async def open_thinking(
    settings: ModelSettings, *, redis_url: str, database: Database | None = None
) -> AsyncGenerator[Thinking | None]:
    """None without a key: then no model reads, and everything else is as it is."""
    if settings.key is None:
        yield None
        return
    clock = SystemClock()
    key = settings.key.get_secret_value()
    async with (
        open_provider(key=key, base_url=settings.base_url) as provider,
        open_pools(provider, settings, key=key, redis_url=redis_url, database=database) as gateway,
    ):
        yield Thinking(
            gateway=gateway,
            model=settings.model,
            prices=load(settings.prices, free=settings.local),
            retries=RetryBudget(clock),
            clock=clock,
            fallbacks=settings.fallback_models,
            embedding_model=settings.embedding_model,
            queued=True,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            local=settings.local,
            content_in_spans=settings.content_in_spans,
        )
