"""What an ingestion is expected to come to."""

import pytest

from pipelines.llm import pools, questions
from storage.models import Models
from storage.money import Price, forecast
from storage.money.forecast import NOTHING, Size

MODELS = Models(reads="m", price=Price(1_000, 100, 10_000))
SMALL = Size(artifacts=800, bytes=None, source_calls=None)


def test_it_expects_what_the_reader_does() -> None:
    for name in ("SMALL_TOKENS", "PACK_TOKENS", "PACK_MOST", "PART_TOKENS"):
        assert getattr(forecast, name) == getattr(questions, name)
    for name in ("OVERHEAD_TOKENS", "OUTPUT_TOKENS"):
        assert getattr(forecast, name) == getattr(questions, name)
    for name in ("GUESSED_REQUESTS", "GUESSED_TOKENS"):
        assert getattr(forecast, name) == getattr(pools, name)


def test_small_artifacts_share_calls_and_long_ones_take_several() -> None:
    short = forecast.forecast(Size(artifacts=800, bytes=800_000, source_calls=None), MODELS)
    long = forecast.forecast(Size(artifacts=1, bytes=360_000, source_calls=None), MODELS)

    assert short.calls.low == 100
    assert long.calls.high == 10


def test_what_it_costs_is_what_its_tokens_cost() -> None:
    found = forecast.forecast(SMALL, MODELS)

    assert found.tokens.low == 800 * 150
    assert found.cost_nanos.low == (800 * 150 + 100 * 900) * 1_000 + 800 * 120 * 10_000
    assert found.cost_nanos.low < found.cost_nanos.high


def test_a_lower_limit_takes_longer() -> None:
    wide = forecast.forecast(SMALL, MODELS).seconds
    narrow = forecast.forecast(
        SMALL, Models(reads="m", price=Price(1, 1, 1), tokens_per_minute=20_000)
    ).seconds

    assert wide is not None
    assert narrow is not None
    assert narrow.low > wide.low * 5


def test_vectors_of_a_provider_cost_too() -> None:
    both = Models(reads="m", price=MODELS.price, embeds="v", embedding_price=Price(2_000, 0, 0))

    more = forecast.forecast(SMALL, both).cost_nanos.low
    assert more - forecast.forecast(SMALL, MODELS).cost_nanos.low == 800 * 150 * 2_000


@pytest.mark.parametrize("models", [None, Models()])
def test_without_a_model_nothing_is_paid(models: Models | None) -> None:
    found = forecast.forecast(SMALL, models)

    assert (found.calls, found.billed, found.cost_nanos) == (NOTHING, NOTHING, NOTHING)
    assert found.seconds is not None


def test_nobody_knows_how_fast_a_model_on_this_machine_is() -> None:
    assert forecast.forecast(SMALL, Models(reads="m", local=True)).seconds is None


def test_nothing_new_costs_nothing() -> None:
    found = forecast.forecast(Size(artifacts=0, bytes=0, source_calls=3), MODELS)

    assert (found.calls, found.cost_nanos) == (NOTHING, NOTHING)
