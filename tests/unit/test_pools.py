"""What the settings say about a provider's limits, as the limiter takes it."""

import pytest

from pipelines.llm.charging import Charging
from pipelines.llm.gateway import Call, Caller
from pipelines.llm.pools import GUESSED_LOCAL, ByModel, charging, terms
from pipelines.llm.scripted import ScriptedGateway
from pipelines.llm.settings import ModelSettings
from storage.ids import LOCAL_TENANT
from storage.limits.values import Dimension

LOCAL = "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (ModelSettings(), Charging.OPENAI),
        (ModelSettings(base_url="https://llm.example.com/v1"), Charging.WHOLE),
        (ModelSettings(base_url=LOCAL), Charging.WHOLE),
        (ModelSettings(base_url=LOCAL, charging=Charging.ANTHROPIC), Charging.ANTHROPIC),
    ],
)
def test_how_tokens_are_counted_follows_from_who_is_asked(
    settings: ModelSettings, expected: Charging
) -> None:
    assert charging(settings) is expected


def test_a_limit_that_is_stated_is_no_guess() -> None:
    limits = terms(ModelSettings(tokens_per_minute=90_000)).limits

    assert (limits[Dimension.TOKENS].amount, limits[Dimension.TOKENS].learned) == (90_000, False)
    assert limits[Dimension.REQUESTS].learned


def test_a_local_server_is_given_as_many_calls_as_it_bears_and_no_limit_until_it_tells_one() -> (
    None
):
    made = terms(ModelSettings(base_url=LOCAL))

    assert made.adaptive
    assert all(limit.learned for limit in made.limits.values())
    assert min(limit.amount for limit in made.limits.values()) >= GUESSED_LOCAL
    assert not terms(ModelSettings(base_url=LOCAL, concurrency=4)).adaptive
    assert terms(ModelSettings(base_url=LOCAL, charging=Charging.FREE)).limits == {}


def test_a_limit_that_is_stated_holds_for_a_local_server_too() -> None:
    limits = terms(ModelSettings(base_url=LOCAL, tokens_per_minute=90_000)).limits

    assert (limits[Dimension.TOKENS].amount, limits[Dimension.TOKENS].learned) == (90_000, False)


async def test_each_model_is_asked_through_its_own_pool() -> None:
    others, own = ScriptedGateway().then({"text": "a"}), ScriptedGateway().then({"text": "b"})
    gateway = ByModel(others, {"m": own})

    await gateway.ask(call("m"))
    await gateway.ask(call("unknown"))

    assert [len(each.asked) for each in (own, others)] == [1, 1]


def call(model: str) -> Call:
    return Call(
        model=model,
        instructions="Say a letter.",
        content="a",
        schema=None,
        max_output_tokens=5,
        input_tokens=5,
        caller=Caller(purpose="test", tenant=LOCAL_TENANT),
    )
