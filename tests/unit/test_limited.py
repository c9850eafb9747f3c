"""The limiter around a gateway: it waits, and tells the pool what became of the call."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest

from pipelines.errors import MustWait
from pipelines.llm.charging import Charging
from pipelines.llm.errors import (
    AnswerMalformed,
    CreditExhausted,
    ModelError,
    Paced,
    ProviderDown,
    Reply,
    TooLong,
)
from pipelines.llm.gateway import (
    Answer,
    Call,
    Caller,
    EmbeddingCall,
    Embeddings,
    Piece,
    Provenance,
    Usage,
)
from pipelines.llm.limited import Limited, open_limited
from storage.events import WaitingReason
from storage.ids import LOCAL_TENANT
from storage.limits.memory import MemoryRoom
from storage.limits.values import Dimension, Limit, PoolId, Terms
from tests.waiting import wait_until

TOKENS = Dimension.TOKENS
TERMS = Terms(limits={TOKENS: Limit(amount=6_000_000)}, concurrency=1)
"""One call at once: a grant that is not settled keeps the next one waiting."""

CALLER = Caller(purpose="read", tenant=LOCAL_TENANT)
CALL = Call(
    model="m",
    instructions="",
    content="text",
    schema=None,
    max_output_tokens=10,
    input_tokens=20,
    caller=CALLER,
)


@dataclass
class Provider:
    """Answers, or raises what it is told to, once each."""

    errors: list[ModelError] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def provenance(self) -> Provenance:
        return Provenance(model="m", usage=Usage(input=20, output=5), headers=self.headers)

    async def ask(self, _call: Call) -> Answer:
        if self.errors:
            raise self.errors.pop(0)
        return Answer({"text": "yes"}, self.provenance)

    async def stream(self, _call: Call) -> AsyncGenerator[Piece]:
        yield Piece("ye")
        if self.errors:
            raise self.errors.pop(0)
        yield Piece("s")
        yield Piece(provenance=self.provenance)

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        return Embeddings(np.zeros((len(call.texts), 2), dtype=np.float32), self.provenance)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def limited(provider: Provider) -> AsyncGenerator[Limited]:
    async with open_limited(
        provider,
        room=MemoryRoom(),
        pool=PoolId("pool"),
        terms=TERMS,
        charging=Charging.OPENAI,
    ) as limited:
        yield limited


async def test_answers_come_one_after_the_other(limited: Limited) -> None:
    answers = [await limited.ask(CALL) for _ in range(3)]

    assert [answer.value for answer in answers] == [{"text": "yes"}] * 3


async def test_a_stream_is_passed_on_and_settled(limited: Limited) -> None:
    for _ in range(2):
        pieces = [piece async for piece in limited.stream(CALL)]
        assert "".join(piece.text for piece in pieces) == "yes"


async def test_a_reader_that_stops_in_the_middle_holds_nothing(limited: Limited) -> None:
    stream = limited.stream(CALL)
    await anext(stream)
    await stream.aclose()

    assert (await limited.ask(CALL)).value == {"text": "yes"}


async def test_vectors_are_limited_too(limited: Limited) -> None:
    call = EmbeddingCall(model="m", texts=("a",), dimension=None, input_tokens=5, caller=CALLER)

    for _ in range(2):
        assert (await limited.embed(call)).vectors.shape == (1, 2)


@pytest.mark.parametrize("kind", [AnswerMalformed, Paced, ProviderDown])
async def test_an_error_is_passed_on_and_settled(
    limited: Limited, provider: Provider, kind: type[ModelError]
) -> None:
    provider.errors = [kind("no", model="m")]

    with pytest.raises(kind):
        await limited.ask(CALL)

    assert (await limited.ask(CALL)).value == {"text": "yes"}


async def test_what_the_headers_say_becomes_the_rate(limited: Limited, provider: Provider) -> None:
    provider.headers = {
        "x-ratelimit-limit-tokens": "600000",
        "x-ratelimit-remaining-tokens": "590000",
    }
    await limited.ask(CALL)

    await wait_until(lambda: limited.broker.rates.get(TOKENS) == pytest.approx(9_900))


async def test_a_call_that_no_window_holds_is_too_long(limited: Limited) -> None:
    huge = Call(
        model="m",
        instructions="",
        content="text",
        schema=None,
        max_output_tokens=10,
        input_tokens=9_000_000,
        caller=CALLER,
    )

    with pytest.raises(TooLong, match="over the limit of 6,000,000"):
        await limited.ask(huge)


def exhausted() -> ModelError:
    return CreditExhausted("no credit", model="m")


def for_an_hour() -> ModelError:
    return Paced("busy", model="m", reply=Reply(retry_after=timedelta(hours=1)))


@pytest.mark.parametrize(
    ("error", "reason"),
    [(exhausted, WaitingReason.INPUT), (for_an_hour, WaitingReason.RATE_LIMITED)],
)
async def test_a_long_wait_gives_the_worker_back(
    limited: Limited, provider: Provider, error: Callable[[], ModelError], reason: WaitingReason
) -> None:
    provider.errors = [error()]
    with pytest.raises(ModelError):
        await limited.ask(CALL)

    with pytest.raises(MustWait) as told:
        await limited.ask(CALL)

    assert told.value.reason is reason
    assert told.value.until
