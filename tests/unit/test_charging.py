"""What is reserved for a call and settled after it, and what headers say, by provider."""

import pytest

from pipelines.llm import quotas
from pipelines.llm.charging import Charger, Charging
from pipelines.llm.gateway import Usage
from storage.limits.values import Amounts, Dimension

REQUESTS, TOKENS = Dimension.REQUESTS, Dimension.TOKENS
INPUT, OUTPUT = Dimension.INPUT_TOKENS, Dimension.OUTPUT_TOKENS


def cost(charger: Charger, *, given: int = 1_000, cap: int = 300) -> Amounts:
    return charger.cost(model="m", purpose="read", input_tokens=given, cap=cap)


def settle(charger: Charger, usage: Usage, *, given: int = 1_000) -> Amounts | None:
    return charger.charged(model="m", purpose="read", input_tokens=given, usage=usage)


@pytest.mark.parametrize(
    ("charging", "expected"),
    [
        (Charging.OPENAI, {REQUESTS: 1, TOKENS: 1_000}),
        (Charging.WHOLE, {REQUESTS: 1, TOKENS: 1_300}),
        (Charging.INPUT, {REQUESTS: 1, TOKENS: 1_000}),
        (Charging.ANTHROPIC, {REQUESTS: 1, INPUT: 1_000, OUTPUT: 300}),
        (Charging.FREE, {REQUESTS: 1}),
    ],
)
def test_each_provider_reserves_in_its_way(charging: Charging, expected: Amounts) -> None:
    assert cost(Charger(charging)) == expected


def test_openai_charges_a_cap_that_is_larger_than_the_input() -> None:
    assert cost(Charger(Charging.OPENAI), given=100, cap=4_000)[TOKENS] == 4_000


@pytest.mark.parametrize("charging", [Charging.OPENAI, Charging.WHOLE, Charging.INPUT])
def test_nothing_comes_back_where_the_provider_gives_nothing_back(charging: Charging) -> None:
    assert settle(Charger(charging), Usage(input=900, output=10)) is None


def test_anthropic_charges_what_was_not_cached_and_what_came_out() -> None:
    charged = settle(Charger(Charging.ANTHROPIC), Usage(input=900, cached=600, output=10))

    assert charged == {REQUESTS: 1, INPUT: 300, OUTPUT: 10}


def test_a_provider_that_does_not_count_leaves_the_reservation() -> None:
    assert settle(Charger(Charging.ANTHROPIC), Usage()) is None


def test_an_estimate_that_is_always_low_is_raised() -> None:
    charger = Charger(Charging.INPUT)
    for _ in range(200):
        settle(charger, Usage(input=1_300, output=10))

    assert cost(charger)[TOKENS] == pytest.approx(1_300, rel=0.01)


def test_a_count_of_something_else_does_not_run_away_with_the_estimate() -> None:
    charger = Charger(Charging.INPUT)
    for _ in range(1_000):
        settle(charger, Usage(input=50_000, output=10))

    assert cost(charger)[TOKENS] <= 2_000


def test_output_that_is_always_short_is_reserved_short() -> None:
    charger = Charger(Charging.ANTHROPIC)
    for _ in range(10):
        settle(charger, Usage(input=1_000, output=50))

    assert cost(charger)[OUTPUT] == pytest.approx(60)


def test_headers_of_openai_are_read() -> None:
    quota = quotas.read(
        {
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )

    assert quota.remaining == {TOKENS: 149_984, REQUESTS: 59}
    assert quota.limits == {TOKENS: 150_000}


def test_headers_of_anthropic_are_read() -> None:
    quota = quotas.read(
        {
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-output-tokens-remaining": "7000",
        }
    )

    assert quota.limits == {INPUT: 40_000}
    assert quota.remaining == {OUTPUT: 7_000}


@pytest.mark.parametrize("told", ["-1", "", "many", "nan", "inf", "1e999"])
def test_what_is_no_count_says_nothing(told: str) -> None:
    assert quotas.read({"x-ratelimit-remaining-tokens": told}).remaining == {}
