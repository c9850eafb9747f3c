"""The mock provider as shipped, asked by OpenAI's own SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import openai
import pytest

from tests.mockprovider import Mock

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "kind": {"enum": ["letter", "note"]},
        "facts": {
            "type": "array",
            "items": {"type": "object", "properties": {"span": {"type": "string"}}},
        },
    },
}


@pytest.fixture
async def client(mock: Mock) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=mock.url, api_key="any", max_retries=0) as client:
        yield client


async def ask(client: openai.AsyncOpenAI, **changes: Any) -> Any:
    usual: dict[str, Any] = {
        "model": "mock-small",
        "messages": [{"role": "user", "content": "Dear all, the heron is back."}],
        "max_tokens": 200,
    }
    return await client.chat.completions.create(**{**usual, **changes})


def form() -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reading", "schema": SCHEMA}}


async def test_an_answer_fits_the_schema(client: openai.AsyncOpenAI, mock: Mock) -> None:
    answer = await ask(client, response_format=form())

    value = json.loads(answer.choices[0].message.content)
    assert value["kind"] == "letter"
    assert value["title"] in "Dear all, the heron is back."
    assert isinstance(value["facts"][0]["span"], str)


async def test_a_stream_ends_with_its_reason_and_its_usage(
    client: openai.AsyncOpenAI, mock: Mock
) -> None:
    stream = await ask(client, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]

    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens > 0


async def test_a_cut_stream_ends_without_a_reason(client: openai.AsyncOpenAI, mock: Mock) -> None:
    await mock.become(cut_streams=1)

    chunks = [chunk async for chunk in await ask(client, stream=True)]

    assert chunks
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


async def test_responses_are_answered_and_streamed(client: openai.AsyncOpenAI, mock: Mock) -> None:
    answer = await client.responses.create(model="mock-large", input="hello")
    stream = await client.responses.create(model="mock-large", input="hello", stream=True)
    kinds = [event.type async for event in stream]

    assert answer.output_text
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


async def test_vectors_are_of_length_one_and_the_same_for_the_same_text(
    client: openai.AsyncOpenAI, mock: Mock
) -> None:
    made = await client.embeddings.create(
        model="mock-embedding", input=["a", "b", "a"], dimensions=32
    )

    first, second, third = (row.embedding for row in made.data)
    assert first == third != second
    assert len(first) == 32
    assert sum(number**2 for number in first) == pytest.approx(1, rel=1e-5)


async def test_the_models_are_listed(client: openai.AsyncOpenAI, mock: Mock) -> None:
    assert "mock-small" in [model.id async for model in await client.models.list()]


async def test_a_model_that_is_not_listed_is_not_found(
    client: openai.AsyncOpenAI, mock: Mock
) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await ask(client, model="gone")

    assert refused.value.code == "model_not_found"


async def test_more_than_the_limit_is_refused_with_the_time_to_wait(
    client: openai.AsyncOpenAI, mock: Mock
) -> None:
    await mock.become(limits={"requests": 60}, depth_seconds=2)

    outcomes = await asyncio.gather(*(ask(client) for _ in range(4)), return_exceptions=True)

    refused = [each for each in outcomes if isinstance(each, openai.RateLimitError)]
    assert len(refused) == 2
    assert int(refused[0].response.headers["retry-after"]) >= 1
    assert refused[0].response.headers["x-ratelimit-limit-requests"] == "60"


@pytest.mark.parametrize("code", ["slow_down", "insufficient_quota"])
async def test_a_429_may_be_for_another_reason(
    client: openai.AsyncOpenAI, mock: Mock, code: str
) -> None:
    await mock.become(refuse_all=code)

    with pytest.raises(openai.RateLimitError) as refused:
        await ask(client)

    assert refused.value.code == code


async def test_an_outage_comes_when_it_is_due(client: openai.AsyncOpenAI, mock: Mock) -> None:
    await mock.become(outages=[{"start": 0, "seconds": 3600}])

    with pytest.raises(openai.InternalServerError) as down:
        await ask(client)

    assert down.value.status_code == 503


async def test_flaws_come_in_the_shares_of_the_plan(client: openai.AsyncOpenAI, mock: Mock) -> None:
    await mock.become(garbage=0.2, refusals=0.2, truncated=0.2, empty=0.2, errors_500=0.2)
    outcomes = await asyncio.gather(
        *(ask(client, response_format=form()) for _ in range(60)), return_exceptions=True
    )

    broken = [each for each in outcomes if isinstance(each, openai.InternalServerError)]
    answers = [each.choices[0] for each in outcomes if not isinstance(each, BaseException)]
    assert len(broken) + len(answers) == 60
    assert broken
    assert any(answer.message.refusal for answer in answers)
    assert any(answer.finish_reason == "length" for answer in answers)
    assert any(answer.message.content == "" and not answer.message.refusal for answer in answers)
    assert any((answer.message.content or "").startswith("Sure!") for answer in answers)


@pytest.mark.parametrize(
    ("telling", "remaining"), [("absent", None), ("negative", "-1"), ("stuck", "0")]
)
async def test_headers_may_lie_or_be_absent(
    client: openai.AsyncOpenAI, mock: Mock, telling: str, remaining: str | None
) -> None:
    await mock.become(telling=telling)

    raw = await client.chat.completions.with_raw_response.create(
        model="mock-small", messages=[{"role": "user", "content": "hello"}], max_tokens=100
    )

    assert raw.headers.get("x-ratelimit-remaining-tokens") == remaining


async def test_the_account_tells_who_was_let_in_and_who_was_not(
    client: openai.AsyncOpenAI, mock: Mock
) -> None:
    await mock.become(limits={"requests": 120}, depth_seconds=1)
    await asyncio.gather(
        *(ask(client, extra_headers={"x-tenant": "a"}) for _ in range(5)), return_exceptions=True
    )

    account = await mock.account()

    assert account["statuses"] == {"200": 2, "429": 3}
    assert account["tokens_by_tenant"] == {"a": 400}


async def test_a_plan_that_is_none_is_refused_and_changes_nothing(mock: Mock) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.patch(mock.control, json={"garbage": 7})
        plan = (await client.get(mock.control)).json()["plan"]

    assert answer.status_code == 422
    assert "garbage" in answer.text
    assert plan["garbage"] == 0


async def test_documents_are_answered_under_their_ids_and_in_their_own_words(
    client: openai.AsyncOpenAI, mock: Mock
) -> None:
    schema = {
        "type": "object",
        "properties": {
            "documents": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "quote": {"type": "string"}},
                },
            }
        },
    }
    documents = [{"id": "1-a", "text": "The heron is back."}, {"id": "2-b", "text": "Moss grows."}]
    turn = {"role": "user", "content": json.dumps({"documents": documents})}
    form = {"type": "json_schema", "json_schema": {"name": "reading", "schema": schema}}

    answer = await ask(client, messages=[turn], response_format=form)
    account = await mock.account()

    assert json.loads(answer.choices[0].message.content)["documents"] == [
        {"id": "1-a", "quote": "The heron is back."},
        {"id": "2-b", "quote": "Moss grows."},
    ]
    assert (account["answers"], account["items"], account["items_again"]) == (1, 2, 0)


async def test_a_key_that_is_wrong_is_refused(client: openai.AsyncOpenAI, mock: Mock) -> None:
    await mock.become(key="another")

    with pytest.raises(openai.AuthenticationError) as refused:
        await ask(client)

    assert refused.value.code == "invalid_api_key"


async def test_an_outage_may_wait_for_so_many_calls(client: openai.AsyncOpenAI, mock: Mock) -> None:
    await mock.become(outages=[{"start": 0, "seconds": 3600, "after_calls": 2}])

    await ask(client)
    await ask(client)
    with pytest.raises(openai.InternalServerError) as down:
        await ask(client)

    assert down.value.status_code == 503
