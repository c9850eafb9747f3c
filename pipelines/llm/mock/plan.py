"""What the provider allows and how it behaves: all of it can be changed while it runs."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from storage.limits.values import Dimension

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class Metering(StrEnum):
    BUCKET = "bucket"
    FIXED = "fixed"
    SLIDING = "sliding"


class Charging(StrEnum):
    """What a provider counts at its door (rate limit pages of each, 2026)."""

    OPENAI = "openai"  # the larger of the cap and an estimate by length; nothing comes back
    AZURE = "azure"  # the estimate and the cap together
    ANTHROPIC = "anthropic"  # input at the door, output as it turns out to be
    INPUT = "input"  # input alone, as Gemini counts


class Telling(StrEnum):
    """What the headers say about the limits."""

    HONEST = "honest"
    ABSENT = "absent"
    DOUBLED = "doubled"  # twice of everything
    NEGATIVE = "negative"  # -1, as Azure's Responses API says
    STUCK = "stuck"  # always that nothing remains


class Refusing(StrEnum):
    """What a 429 is for."""

    PACE = "rate_limit_exceeded"
    RAMP = "slow_down"
    QUOTA = "insufficient_quota"


class Outage(BaseModel):
    """From ``start`` seconds after the plan was set, every call gets ``status``.

    With ``after_calls`` it begins when so many were let in, if that is later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Seconds
    seconds: Seconds
    status: int = 503
    after_calls: Annotated[int, Field(ge=0)] = 0


class Plan(BaseModel):
    """Shares are of the calls that pass the door; their sum may be 1 at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: dict[Dimension, Annotated[float, Field(gt=0)]] = {
        Dimension.REQUESTS: 3_000,
        Dimension.TOKENS: 1_000_000,
    }
    window_seconds: Annotated[float, Field(gt=0)] = 60
    metering: Metering = Metering.BUCKET
    depth_seconds: Annotated[float, Field(gt=0)] = 5  # of the bucket
    charging: Charging = Charging.OPENAI
    refused_count: bool = True  # as requests; OpenAI's do
    foreign_share: Share = 0  # of the rate, taken by somebody else with the same key
    telling: Telling = Telling.HONEST
    retry_after: bool = True
    refuse_all: Refusing | None = None

    outages: tuple[Outage, ...] = ()
    errors_500: Share = 0
    garbage: Share = 0  # no JSON
    wrong_schema: Share = 0
    empty: Share = 0
    refusals: Share = 0
    truncated: Share = 0
    cut_streams: Share = 0
    bad_vectors: Share = 0

    first_token_seconds: Seconds = 0.3
    token_seconds: Seconds = 0.001
    spread: Seconds = 0.5  # sigma of the lognormal around both

    key: str | None = None  # without it, any key will do
    models: tuple[str, ...] = ("mock-large", "mock-small", "mock-embedding")
    dimension: Annotated[int, Field(gt=0, le=4096)] = 256
