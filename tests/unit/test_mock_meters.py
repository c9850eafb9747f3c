"""The mock provider's limits, on a clock that is handed in."""

import pytest

from pipelines.llm.mock.door import Door, Visit
from pipelines.llm.mock.meters import meter
from pipelines.llm.mock.plan import Charging, Metering, Plan, Refusing
from storage.limits.values import Dimension

TOKENS = Dimension.TOKENS


def test_a_bucket_fills_at_the_rate_and_no_further() -> None:
    bucket = meter(600, Plan(depth_seconds=5), now=0)
    bucket.take(50, now=0)

    assert bucket.left(1) == pytest.approx(10)
    assert bucket.wait(30, 1) == pytest.approx(2)
    assert bucket.left(100) == 50


def test_a_fixed_window_begins_anew() -> None:
    window = meter(600, Plan(metering=Metering.FIXED), now=0)
    window.take(600, now=59)

    assert window.left(59) == 0
    assert window.wait(1, 59) == pytest.approx(1)
    assert window.left(60) == 600


def test_a_sliding_window_forgets_what_is_older_than_it() -> None:
    window = meter(600, Plan(metering=Metering.SLIDING), now=0)
    window.take(400, now=0)
    window.take(200, now=30)

    assert window.wait(100, 50) == pytest.approx(10)
    assert window.left(60) == 400


@pytest.mark.parametrize("metering", list(Metering))
def test_somebody_else_takes_their_share(metering: Metering) -> None:
    alone = meter(600, Plan(metering=metering), now=0)
    shared = meter(600, Plan(metering=metering, foreign_share=0.3), now=0)
    for one in (alone, shared):
        one.take(one.left(0), now=0)

    assert shared.left(4) == pytest.approx(0.7 * alone.left(4))


@pytest.mark.parametrize(
    ("charging", "tokens"),
    [
        (Charging.OPENAI, 300),
        (Charging.AZURE, 400),
        (Charging.ANTHROPIC, 100),
        (Charging.INPUT, 100),
    ],
)
def test_each_charge_model_counts_in_its_way(charging: Charging, tokens: float) -> None:
    door = Door(Plan(charging=charging, limits={TOKENS: 60_000}), now=0)

    door.enter(Visit(tenant="t", model="mock-small", characters=400, max_tokens=300), now=0)

    assert door.account.tokens[0] == tokens


def test_output_is_charged_later_where_it_is_charged_as_it_is() -> None:
    door = Door(Plan(charging=Charging.ANTHROPIC, limits={TOKENS: 60_000}), now=0)
    door.enter(Visit(tenant="t", model="mock-small", characters=400, max_tokens=300), now=0)

    door.charge_output(40, now=2)

    assert door.account.tokens == {0: 100, 2: 40}


def test_a_refused_call_counts_as_a_request() -> None:
    plan = Plan(limits={Dimension.REQUESTS: 60}, depth_seconds=2, refuse_all=Refusing.PACE)
    door = Door(plan, now=0)

    refused = door.enter(Visit(tenant="t", model="mock-small", characters=4, max_tokens=1), now=0)

    assert refused.status == 429
    assert refused.headers["x-ratelimit-remaining-requests"] == "1"
