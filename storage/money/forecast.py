"""What an ingestion will come to, before anything is read: artifacts, tokens, money and time.

Ranges, for a plan knows sizes and seldom contents. Of a file that is skipped (a picture, a lock
file) only the size is known, so bytes make a wide range of tokens.
"""

from dataclasses import dataclass

from storage.models import Models

BYTES_A_TOKEN = 3, 8
"""Dense text, and a source of which much is skipped."""

TOKENS_AN_ARTIFACT = 150, 1_500
"""Where nobody knows sizes: short mail, and long threads."""

SMALL_TOKENS = 300  # those and the next as ``pipelines.llm.questions`` has them: see its test
PACK_TOKENS = 2_400
PACK_MOST = 8
PART_TOKENS = 12_000
OVERHEAD_TOKENS = 900
OUTPUT_TOKENS = 1_200
ANSWER_TOKENS = 120, 500  # for one artifact

GUESSED_REQUESTS = 500
GUESSED_TOKENS = 200_000
SECONDS_A_CALL = 2, 10
CALLS_AT_ONCE = 16
ARTIFACTS_A_SECOND = 30, 300
SOURCE_CALLS_A_SECOND = 2, 20


@dataclass(frozen=True, slots=True)
class Range:
    low: int
    high: int

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)


NOTHING = Range(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What is in a source and not ingested yet. ``bytes`` None: not known."""

    artifacts: int
    bytes: int | None
    source_calls: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """``tokens`` are those of the texts, ``billed`` all that go to models and come from them.

    ``seconds`` is None where models run on this machine: nobody knows how fast it is.
    """

    tokens: Range
    calls: Range
    billed: Range
    cost_nanos: Range
    seconds: Range | None


def forecast(size: Size, models: Models | None) -> Forecast:
    tokens = _tokens(size)
    if models is None or models.reads is None:
        return Forecast(
            tokens=tokens, calls=NOTHING, billed=NOTHING, cost_nanos=NOTHING, seconds=_alone(size)
        )
    low, high = (_reading(size.artifacts, each) for each in (tokens.low, tokens.high))
    given = Range(low.given, high.given)
    answers = Range(size.artifacts * ANSWER_TOKENS[0], size.artifacts * ANSWER_TOKENS[1])
    price, embedding = models.price, models.embedding_price
    embedded = tokens if models.embeds else NOTHING
    cost = Range(
        given.low * price.input + answers.low * price.output + embedded.low * embedding.input,
        given.high * price.input + answers.high * price.output + embedded.high * embedding.input,
    )
    calls = Range(low.calls, high.calls)
    return Forecast(
        tokens=tokens,
        calls=calls,
        billed=given + answers + embedded,
        cost_nanos=cost,
        seconds=None if models.local else _alone(size) + _asking(calls, given, models),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    calls: int
    given: int


def _tokens(size: Size) -> Range:
    if size.bytes is not None:
        return Range(size.bytes // BYTES_A_TOKEN[1], size.bytes // BYTES_A_TOKEN[0])
    low, high = TOKENS_AN_ARTIFACT
    return Range(size.artifacts * low, size.artifacts * high)


def _reading(artifacts: int, tokens: int) -> _Reading:
    """As if all were alike: small ones share calls, long ones are read in parts."""
    each = max(1, tokens // max(1, artifacts))
    if each <= SMALL_TOKENS:
        calls = -(-artifacts // min(PACK_MOST, max(1, PACK_TOKENS // each)))
    else:
        calls = artifacts * -(-each // PART_TOKENS)
    return _Reading(calls, tokens + calls * OVERHEAD_TOKENS)


def _alone(size: Size) -> Range:
    """All but the models: the source, the cutting, the database."""
    asked = size.source_calls or 0
    slow = size.artifacts / ARTIFACTS_A_SECOND[0] + asked / SOURCE_CALLS_A_SECOND[0]
    fast = size.artifacts / ARTIFACTS_A_SECOND[1] + asked / SOURCE_CALLS_A_SECOND[1]
    return Range(int(fast), int(slow) + 1)


def _asking(calls: Range, given: Range, models: Models) -> Range:
    """As long as the limits let it take, or the answers if those are slower."""
    requests = (models.requests_per_minute or GUESSED_REQUESTS) / 60
    tokens = (models.tokens_per_minute or GUESSED_TOKENS) / 60

    def seconds(calls: int, given: int, a_call: int) -> int:
        charged = max(given, calls * OUTPUT_TOKENS)
        return int(max(calls / requests, charged / tokens, calls * a_call / CALLS_AT_ONCE))

    return Range(
        seconds(calls.low, given.low, SECONDS_A_CALL[0]),
        seconds(calls.high, given.high, SECONDS_A_CALL[1]),
    )
