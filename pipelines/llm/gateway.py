"""How a model is asked, whoever answers.

An answer comes whole or as an error of ``pipelines.llm.errors``: what was cut off, is no JSON or
breaks its schema is never handed on. A gateway either speaks to a provider, once a call and without
retrying, or stands around another gateway and adds one thing: limits, retries, a budget, a cache,
another model, a span. All of them are this Protocol, so that each can be left out.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.ids import RunId, TenantId


class ServiceClass(StrEnum):
    """Who waits for the answer, most urgent first."""

    INTERACTIVE = "interactive"  # somebody looks at the screen
    ONBOARDING = "onboarding"  # somebody just connected an account
    SCHEDULED = "scheduled"  # nobody waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """For whom a call is made and how long it may take.

    ``purpose`` is the component that asks, such as ``read``. After ``deadline`` nobody wants the
    answer any more; None: it is wanted whenever it comes. ``subject`` names what the call is about
    (an artifact's id, a batch) for traces; it is never content.
    """

    purpose: str
    tenant: TenantId
    run: RunId | None = None
    service: ServiceClass = ServiceClass.SCHEDULED
    deadline: datetime | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """The form an answer must have: a JSON schema of an object, and its name for the provider."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A question: the same for everybody first (``instructions``), what it is about last.

    ``input_tokens`` is our estimate of all that is sent, schema included; ``max_output_tokens`` is
    a hard cap. ``key`` is equal for calls with equal answers; "" for one that is never kept.
    """

    model: str
    instructions: str
    content: str
    schema: Schema | None
    max_output_tokens: int
    input_tokens: int
    caller: Caller
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them. ``input`` includes ``cached``, ``output`` reasoning."""

    input: int = 0
    cached: int = 0
    output: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who answered and what it took.

    ``model`` is the one that was asked in the end, which may not be the call's. ``headers`` are the
    reply's, with names in lower case; only those about limits, waiting and the request's id.
    ``kept``: it was answered before, and nothing was paid.
    """

    model: str
    usage: Usage
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` fits the call's schema; a call without one is answered ``{"text": …}``."""

    value: Mapping[str, Any]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, or at the very end the provenance of all of it (and no text)."""

    text: str = ""
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCall:
    """``dimension`` asks for shorter vectors than the model's own; None: as it makes them."""

    model: str
    texts: tuple[str, ...]
    dimension: int | None
    input_tokens: int
    caller: Caller


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """A row a text, in the order asked; every number finite, every row of the same length."""

    vectors: NDArray[np.float32]
    provenance: Provenance


class Gateway(Protocol):
    """Raises ``ModelError`` where there is no answer, ``MustWait`` where it takes too long to wait.

    ``MustWait`` gives the worker back; the run goes on by itself when its time has come.
    """

    async def ask(self, call: Call) -> Answer: ...

    def stream(self, call: Call) -> AsyncGenerator[Piece]:
        """The text as it comes; ``schema`` must be None.

        A stream that ends without the provider saying that it is finished raises ``AnswerLost``:
        what was read of it is worth nothing. Once a piece is out nothing is asked again in here.
        """
        ...

    async def embed(self, call: EmbeddingCall) -> Embeddings: ...
