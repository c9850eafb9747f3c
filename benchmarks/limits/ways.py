"""Ways to keep to a limit: ours, and what one would take instead. All call by the same SDK."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import httpx2
import openai
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)
from throttled.asyncio import RateLimiterType, Throttled, rate_limiter
from throttled.asyncio import store as throttled_store

from benchmarks.limits.scenarios import LIMITS, TOKENS_A_SECOND, WINDOW
from pipelines.llm import quotas
from storage.limits.broker import Broker, open_broker
from storage.limits.redis import open_room
from storage.limits.values import (
    Dimension,
    Ending,
    Limit,
    Outcome,
    PoolId,
    Terms,
    Urgency,
)

RETRIED = (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError)


@dataclass(slots=True)
class Job:
    """``sent_at`` becomes the moment when the last try left."""

    tenant: str
    urgency: Urgency
    text: str
    cap: int
    asked_at: float = field(default_factory=time.monotonic)
    sent_at: float = 0.0

    @property
    def tokens(self) -> int:
        return -(-len(self.text) // 4) + self.cap


JOB: ContextVar[Job] = ContextVar("job")


class Way(Protocol):
    async def call(self, job: Job) -> None:
        """Return once it is answered; whatever is raised is a call lost to the application."""
        ...


@dataclass(slots=True)
class Sdk:
    """The SDK's own retries."""

    client: openai.AsyncOpenAI

    async def call(self, job: Job) -> None:
        await complete(self.client, job)


@dataclass(slots=True)
class Tenacity:
    """As its documentation and OpenAI's cookbook have it."""

    client: openai.AsyncOpenAI

    async def call(self, job: Job) -> None:
        async for attempt in AsyncRetrying(
            wait=wait_random_exponential(min=1, max=60),
            stop=stop_after_attempt(10),
            retry=retry_if_exception_type(RETRIED),
            reraise=True,
        ):
            with attempt:
                await complete(self.client, job)


@dataclass(slots=True)
class Gcra:
    """Two limiters in Redis, asked until both say yes; then the SDK with ten retries."""

    client: openai.AsyncOpenAI
    requests: Throttled
    tokens: Throttled

    async def call(self, job: Job) -> None:
        for limiter, cost in ((self.requests, 1), (self.tokens, job.tokens)):
            await _poll(limiter, cost)
        await complete(self.client, job)


@dataclass(slots=True)
class Ours:
    client: openai.AsyncOpenAI
    broker: Broker

    async def call(self, job: Job) -> None:
        cost = {Dimension.REQUESTS: 1, Dimension.TOKENS: job.tokens}
        while True:
            grant = await self.broker.acquire(tenant=job.tenant, urgency=job.urgency, cost=cost)
            outcome = Outcome(ending=Ending.ANSWERED)
            try:
                outcome = answered(await complete(self.client, job))
            except openai.APIStatusError as error:
                outcome = failed(error)
            except openai.APIConnectionError:
                outcome = Outcome(ending=Ending.DOWN)
            finally:
                self.broker.settle(grant, outcome)
            if outcome.ending is Ending.ANSWERED:
                return


@asynccontextmanager
async def open_way(name: str, *, url: str, redis: str, guess: float | None) -> AsyncGenerator[Way]:
    retries = {"sdk2": 2, "sdk10": 10, "gcra": 10}.get(name, 0)
    limits = httpx2.Limits(max_connections=500, max_keepalive_connections=500)
    http = httpx2.AsyncClient(limits=limits, timeout=60, event_hooks={"request": [_sent]})
    client = openai.AsyncOpenAI(base_url=url, api_key="mock", max_retries=retries, http_client=http)
    async with client:
        if name == "ours":
            terms = _terms(guess)
            async with (
                open_room(redis) as room,
                open_broker(room, PoolId("bench"), terms) as broker,
            ):
                yield Ours(client, broker)
        elif name == "gcra":
            store = throttled_store.RedisStore(server=redis)
            requests, tokens = (
                _gcra(store, each) for each in (Dimension.REQUESTS, Dimension.TOKENS)
            )
            yield Gcra(client, requests, tokens)
        else:
            yield Tenacity(client) if name == "tenacity" else Sdk(client)


async def complete(client: openai.AsyncOpenAI, job: Job) -> "dict[str, str]":
    """One call by the SDK; the reply's headers."""
    JOB.set(job)
    raw = await client.chat.completions.with_raw_response.create(
        model="mock-small",
        messages=[{"role": "user", "content": job.text}],
        max_tokens=job.cap,
        extra_headers={"x-tenant": job.tenant},
    )
    return {name.lower(): value for name, value in raw.headers.items()}


def answered(headers: "dict[str, str]") -> Outcome:
    quota = quotas.read(headers)
    return Outcome(ending=Ending.ANSWERED, remaining=quota.remaining, limits=quota.limits)


def failed(error: openai.APIStatusError) -> Outcome:
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    quota = quotas.read(headers)
    after = headers.get("retry-after-ms")
    return Outcome(
        ending=Ending.PACED if error.status_code == 429 else Ending.DOWN,
        remaining=quota.remaining,
        limits=quota.limits,
        retry_after=timedelta(milliseconds=float(after)) if after else None,
        charged=None if error.status_code == 429 else {Dimension.REQUESTS: 1},
    )


def make_job(tenant: str, urgency: Urgency, chance: random.Random) -> Job:
    tokens = int(min(4_000, chance.lognormvariate(5.6, 0.7)))
    return Job(tenant, urgency, "word" * tokens, chance.choice((64, 128, 256)))


async def _poll(limiter: Throttled, cost: int) -> None:
    """The library tells how long to wait, and no more."""
    said = await limiter.limit(cost=cost)
    while said.limited:
        await asyncio.sleep(max(0.01, said.state.retry_after))  # no event comes
        said = await limiter.limit(cost=cost)


async def _sent(_request: httpx2.Request) -> None:
    JOB.get().sent_at = time.monotonic()


def _terms(guess: float | None) -> Terms:
    factor = 1.0 if guess is None else guess
    tokens = Limit(amount=TOKENS_A_SECOND * WINDOW * factor, learned=guess is not None)
    return Terms(
        limits={
            Dimension.TOKENS: tokens,
            Dimension.REQUESTS: Limit(amount=LIMITS[Dimension.REQUESTS]),
        }
    )


def _gcra(store: throttled_store.RedisStore, dimension: Dimension) -> Throttled:
    """At 99 % of the limit with a second of burst, which is where it does best here."""
    limit = LIMITS[dimension]
    quota = rate_limiter.per_min(int(limit * 0.99), burst=int(limit / WINDOW))
    key = f"bench:{dimension.value}"
    return Throttled(key=key, using=RateLimiterType.GCRA.value, quota=quota, store=store)
