"""What a token costs, and what is taken where nobody says."""

import json
from pathlib import Path

import pytest

from storage.errors import SetupError
from storage.money.prices import load


def test_a_dated_version_costs_what_its_model_does() -> None:
    prices = load()

    assert prices.of("gpt-5-mini-2025-08-07") == prices.of("gpt-5-mini")


def test_cached_tokens_cost_less_and_the_sum_is_exact() -> None:
    price = load().of("gpt-5-mini")

    cost = price.of(input_tokens=1_000_000, cached_tokens=1_000_000, output_tokens=0)

    assert cost == 25_000_000  # 2.5 cents


def test_an_unknown_model_costs_as_much_as_the_dearest_and_says_so() -> None:
    prices = load()

    unknown = prices.of("nobody-knows")

    assert not unknown.known
    assert unknown.output == max(price.output for price in prices.models.values())


def test_this_machine_asks_for_no_money() -> None:
    assert load(free=True).of("smollm2").of(input_tokens=9, cached_tokens=0, output_tokens=9) == 0


def test_the_operators_prices_come_before_ours(tmp_path: Path) -> None:
    own = tmp_path / "prices.json"
    price = {"input": 7, "cached": 7, "output": 7}
    own.write_text(json.dumps({"source": "us", "date": "2026-11-25", "models": {"gpt-5": price}}))

    prices = load(own)

    assert prices.of("gpt-5").input == 7_000
    assert prices.of("gpt-5-nano") == load().of("gpt-5-nano")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"source": "a", "date": "b", "models": {"m": {"input": 1}}}',
        '{"source": "a", "date": "b", "models": {"m": {"input": -1, "cached": 0, "output": 0}}}',
    ],
)
def test_prices_that_are_none_are_refused_with_the_file(tmp_path: Path, text: str) -> None:
    own = tmp_path / "prices.json"
    own.write_text(text)

    with pytest.raises(SetupError, match=r"prices\.json"):
        load(own)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="HEADWATER_PRICES"):
        load(tmp_path / "nowhere.json")
