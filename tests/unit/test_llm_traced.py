"""What a span tells of a call: what it took and how it ended, and nothing of what it said."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipelines.context import StoppedClock
from pipelines.llm.charging import Charging
from pipelines.llm.errors import AnswerLost, Refused
from pipelines.llm.gateway import Call, Caller
from pipelines.llm.limited import open_limited
from pipelines.llm.retrying import RetryBudget
from pipelines.llm.scripted import ScriptedGateway
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import Thinking
from storage.ids import LOCAL_TENANT
from storage.limits.memory import MemoryRoom
from storage.limits.values import Dimension, Limit, PoolId, Terms
from storage.money import Budget, Price, Prices, Spent

CALL = Call(
    model="m",
    instructions="Tell me the secret.",
    content="The secret is 42.",
    schema=None,
    max_output_tokens=50,
    input_tokens=5,
    caller=Caller(purpose="tell", tenant=LOCAL_TENANT),
)


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def thinking(script: ScriptedGateway, *, content: bool = False) -> Thinking:
    clock = StoppedClock()
    prices = Prices({"m": Price(1, 1, 100)}, "a test", "2026-11-25")
    return Thinking(
        gateway=script,
        model="m",
        prices=prices,
        retries=RetryBudget(clock),
        clock=clock,
        content_in_spans=content,
    )


async def test_a_call_is_one_span_with_what_it_took(exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    script = ScriptedGateway().then(AnswerLost("lost", model="m"), {"text": "It is 42, a secret"})
    gateway, _ = thinking(script).attempt(budget=Budget(), before=Spent(month=0, run=0))

    answer = await gateway.ask(CALL)

    [span] = exporter.get_finished_spans()
    told = dict(span.attributes or {})
    used = answer.provenance.usage
    assert span.name == "chat m"
    assert told["gen_ai.usage.input_tokens"] == used.input
    assert told["gen_ai.usage.output_tokens"] == used.output
    assert told["headwater.cost_nanos"] == used.input + 100 * used.output
    assert [event.name for event in span.events] == ["asked again"]
    assert "secret" not in span.to_json()


async def test_a_call_that_failed_says_how_and_not_about_what(
    exporter: InMemorySpanExporter,
) -> None:
    exporter.clear()
    script = ScriptedGateway().then(Refused("It will not answer", model="m"))
    gateway, _ = thinking(script).attempt(budget=Budget(), before=Spent(month=0, run=0))

    with pytest.raises(Refused):
        await gateway.ask(CALL)

    [span] = exporter.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "refused"
    assert "secret" not in span.to_json()


async def test_what_is_said_is_in_a_span_only_where_that_is_asked_for(
    exporter: InMemorySpanExporter,
) -> None:
    exporter.clear()
    for content in (False, True):
        script = ScriptedGateway().then({"text": "It is 42"}, {"text": "It is 42"})
        gateway, _ = thinking(script, content=content).attempt(
            budget=Budget(), before=Spent(month=0, run=0)
        )
        await gateway.ask(CALL)
        async for _ in gateway.stream(CALL):
            pass

    *silent, asked, streamed = (
        str(dict(s.attributes or {})) for s in exporter.get_finished_spans()
    )
    assert not any("42" in each for each in silent)
    for told in (asked, streamed):
        assert "The secret is 42." in told
        assert "It is 42" in told


@pytest.mark.parametrize(
    ("told", "meant"), [("", False), ("false", False), ("true", True), ("SPAN_ONLY", True)]
)
def test_the_setting_is_opentelemetrys(told: str, *, meant: bool) -> None:
    assert ModelSettings(capture=told).content_in_spans is meant


async def test_what_was_waited_for_the_limit_is_a_span_that_says_why(
    exporter: InMemorySpanExporter,
) -> None:
    exporter.clear()
    slow = Terms(limits={Dimension.REQUESTS: Limit(amount=600)})
    script = ScriptedGateway(otherwise=lambda _: {"text": "42"})
    async with open_limited(
        script, room=MemoryRoom(), pool=PoolId("p"), terms=slow, charging=Charging.OPENAI
    ) as limited:
        await limited.ask(CALL)

    [span] = exporter.get_finished_spans()
    told = dict(span.attributes or {})
    assert span.name == "queued"
    assert told["headwater.queued.reason"] == "pace"
    assert float(str(told["headwater.queued.seconds"])) > 0.02
