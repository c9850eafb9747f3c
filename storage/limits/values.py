"""What the limiter speaks of: pools, what may be asked of them, and how calls went.

A *pool* is one allowance at a provider: an endpoint, a key, and the models that share the limit. A
*grant* is the leave to make one call now. Amounts are in the provider's own units, by dimension.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import NewType

PoolId = NewType("PoolId", str)
ProcessId = NewType("ProcessId", str)
TicketId = NewType("TicketId", str)
"""Names a call from the moment it queues until it is settled."""


class Dimension(StrEnum):
    """What a provider counts. ``TOKENS`` is input and output together."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"


Amounts = Mapping[Dimension, float]


class Urgency(StrEnum):
    """Who waits for the answer, most urgent first. They share a full pool as 16 : 4 : 1."""

    INTERACTIVE = "interactive"
    ONBOARDING = "onboarding"
    SCHEDULED = "scheduled"

    @property
    def rank(self) -> int:
        return list(Urgency).index(self)


class Ending(StrEnum):
    """How a call ended, as far as the pool is concerned."""

    ANSWERED = "answered"  # or refused for what was asked: the provider works
    PACED = "paced"  # 429: more than the limit
    RAMPING = "ramping"  # 429 slow_down: within the limit, but growing too fast
    DOWN = "down"  # 5xx, no connection, no answer
    BLOCKED = "blocked"  # no credit, key refused: until somebody does something
    UNUSED = "unused"  # the call was never made


class Reason(StrEnum):
    """Why nobody may call just now."""

    PROVIDER_DOWN = "provider_down"
    RATE_LIMITED = "rate_limited"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many in a window. ``learned``: the amount is a guess, to be corrected by what happens."""

    amount: float
    window: timedelta = timedelta(minutes=1)
    learned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a pool allows, as configured; headers and refusals correct it.

    The pool is paced at ``use`` of each limit with a burst of the rest, so that what is granted in
    any window, fixed or sliding, is within the limit. ``concurrency`` caps the calls under way;
    with ``adaptive`` it is where a search begins, low, for local servers that have no limits but
    get slow. ``ramp_free`` is a rate in tokens a second below which no ``RAMPING`` cuts (OpenAI:
    1 M a minute, https://platform.openai.com/docs/guides/rate-limits). ``known`` is what guessed
    limits have come to elsewhere or earlier: a pool that knows nothing begins with it.
    """

    limits: Mapping[Dimension, Limit] = field(default_factory=dict[Dimension, Limit])
    use: float = 0.99
    concurrency: int | None = None
    adaptive: bool = False
    ramp_free: float = 0.0
    lease: timedelta = timedelta(seconds=15)
    known: Amounts = field(default_factory=dict[Dimension, float], compare=False)

    def amount(self, dimension: Dimension) -> float:
        """Of the limit, where a pool begins."""
        limit = self.limits[dimension]
        return self.known.get(dimension, limit.amount) if limit.learned else limit.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call that waits for its grant. ``cost`` is what the provider charges at its door."""

    id: TicketId
    tenant: str
    urgency: Urgency
    cost: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call went, and what the provider said about its limits with it.

    ``charged`` is what the provider charged in the end, where that differs from the reservation;
    None: as reserved. ``remaining`` and ``limits`` are from the reply's headers, ``limits`` in the
    window of the pool's terms. ``seconds`` is how long the call took for each token of its answer,
    so that long answers do not look slow.
    """

    ending: Ending
    charged: Amounts | None = None
    remaining: Amounts = field(default_factory=dict[Dimension, float])
    limits: Amounts = field(default_factory=dict[Dimension, float])
    retry_after: timedelta | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """All that one process has to tell a pool at once. ``beat`` names its calls under way."""

    process: ProcessId
    terms: Terms
    enqueue: tuple[Ticket, ...] = ()
    withdraw: tuple[TicketId, ...] = ()
    settle: tuple[tuple[TicketId, Outcome], ...] = ()
    beat: tuple[TicketId, ...] = ()
    leave: bool = False  # the process ends: forget it
    resume: bool = False  # somebody has repaired what blocked the pool: try it now


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a turn did. ``known`` is False if the pool had forgotten this process and its tickets.

    ``wait_seconds`` is when the next ticket can be granted; None where nothing waits.
    ``pause_seconds`` is how long nobody may call, for ``reason``; zero and None where they may.
    ``down_seconds`` is how long the provider has not worked. ``rates`` are per second,
    ``processes`` the living ones.
    """

    known: bool
    granted: int
    wait_seconds: float | None
    pause_seconds: float
    down_seconds: float
    reason: Reason | None
    rates: Amounts
    processes: int
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a process finds in its inbox: a grant, or (``lapsed``) that a lease of its ran out."""

    ticket: TicketId
    lapsed: bool = False


def pool_id(base_url: str, api_key: str, group: str = "") -> PoolId:
    """A name for an allowance that tells nothing about the key.

    A key has enough randomness that its hash cannot be searched for; cutting it to 128 bits is for
    short keys in Redis. ``group`` names models that share a limit.
    """
    digest = blake2b(digest_size=16, person=b"hw.limits")
    for part in (base_url.rstrip("/"), api_key, group):
        digest.update(len(part.encode()).to_bytes(4, "big") + part.encode())
    return PoolId(digest.hexdigest())
