"""The real SDK against an address that answers like the many servers that call themselves so."""

import json
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from pipelines.llm.errors import (
    AddressWrong,
    AnswerCut,
    AnswerLost,
    AnswerMalformed,
    CallRejected,
    CreditExhausted,
    KeyRefused,
    ModelError,
    NotSupported,
    Paced,
    ProviderDown,
    Refused,
    VectorsInvalid,
)
from pipelines.llm.gateway import Call, Caller, EmbeddingCall, Piece, Schema, Usage
from pipelines.llm.provider import OpenAIGateway, open_provider
from storage.ids import LOCAL_TENANT
from tests.modelserver import (
    ModelServer,
    Said,
    completion,
    open_model_server,
    refused,
    streamed,
    vectors,
)

CALLER = Caller(purpose="read", tenant=LOCAL_TENANT)
SCHEMA = Schema(
    "note",
    {
        "type": "object",
        "properties": {"title": {"type": "string", "maxLength": 20}},
        "required": ["title"],
        "additionalProperties": False,
    },
)
KEY = "sk-test-never-shown"


@pytest.fixture
async def server() -> AsyncGenerator[ModelServer]:
    async with open_model_server() as server:
        yield server


@pytest.fixture
async def gateway(server: ModelServer) -> AsyncGenerator[OpenAIGateway]:
    async with open_provider(key=KEY, base_url=server.url) as gateway:
        yield gateway


def call(schema: Schema | None = SCHEMA) -> Call:
    return Call(
        model="m",
        instructions="Read.",
        content="The text.",
        schema=schema,
        max_output_tokens=50,
        input_tokens=12,
        caller=CALLER,
    )


def embedding(*texts: str, dimension: int | None = None) -> EmbeddingCall:
    return EmbeddingCall(model="e", texts=texts, dimension=dimension, input_tokens=3, caller=CALLER)


async def all_of(pieces: AsyncIterator[Piece]) -> list[Piece]:
    return [piece async for piece in pieces]


async def test_an_answer_comes_with_what_it_took(
    server: ModelServer, gateway: OpenAIGateway
) -> None:
    server.then(completion('{"title": "A note"}'))

    answer = await gateway.ask(call())

    assert answer.value == {"title": "A note"}
    assert answer.provenance.usage == Usage(input=100, cached=60, output=20)
    assert answer.provenance.model == "m-2026"
    assert answer.provenance.request_id == "req-1"
    assert answer.provenance.headers["x-ratelimit-remaining-tokens"] == "900"


async def test_no_tool_is_offered_and_the_same_comes_first(
    server: ModelServer, gateway: OpenAIGateway
) -> None:
    server.then(completion('{"title": "A"}'))

    await gateway.ask(call())

    [asked] = server.asked
    assert not {"tools", "tool_choice", "functions"} & asked.keys()
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert asked["max_completion_tokens"] == 50
    assert asked["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (completion('{"title": "A no', finish="length"), AnswerCut),
        (completion('{"title": "A note"}', finish="length"), AnswerCut),
        (completion("Certainly! Here is"), AnswerMalformed),
        (completion(""), AnswerMalformed),
        (completion(None), AnswerMalformed),
        (completion('{"name": "A note"}'), AnswerMalformed),
        (completion('{"title": 7}'), AnswerMalformed),
        (completion('["title"]'), AnswerMalformed),
        (completion("[" * 100_000), AnswerMalformed),
        (completion(json.dumps({"title": "x" * 21})), AnswerMalformed),
        (completion(None, refusal="I cannot help with that"), Refused),
        (completion("", finish="content_filter"), Refused),
        (Said(body="<html>Welcome</html>"), AddressWrong),
        (Said(body='{"choices": []}'), AnswerLost),
        (Said(body='{"choices": [{"mess'), AnswerLost),
        (Said(body='{"choices": [', cut=True), AnswerLost),
        (Said(status=404, body="<html>"), AddressWrong),
        (refused(401, message=f"Incorrect API key: {KEY}"), KeyRefused),
        (refused(429, code="insufficient_quota"), CreditExhausted),
        (refused(429, headers={"retry-after": "1"}), Paced),
        (refused(503), ProviderDown),
        (Said(status=500, body="x"), ProviderDown),
    ],
    ids=lambda value: getattr(value, "__name__", "") or str(value)[:70],
)
async def test_what_is_no_whole_answer_is_an_error(
    server: ModelServer, gateway: OpenAIGateway, reply: Said, kind: type[ModelError]
) -> None:
    server.then(reply)

    with pytest.raises(ModelError) as caught:
        await gateway.ask(call())

    assert type(caught.value) is kind
    assert len(server.asked) == 1
    assert KEY not in str(caught.value)


async def test_a_cut_answer_tells_what_it_cost(server: ModelServer, gateway: OpenAIGateway) -> None:
    server.then(completion('{"title": "A no', finish="length"))

    with pytest.raises(AnswerCut) as caught:
        await gateway.ask(call())

    assert caught.value.reply.usage == Usage(input=100, cached=60, output=20)


async def test_nobody_at_the_address_means_that_the_provider_is_down() -> None:
    async with open_provider(key=KEY, base_url="http://127.0.0.1:9/v1") as gateway:
        with pytest.raises(ProviderDown):
            await gateway.ask(call())


@pytest.mark.parametrize("url", ["ftp://example.org/v1", "not an address"])
async def test_an_address_that_is_none_is_named(url: str) -> None:
    async with open_provider(key=KEY, base_url=url) as gateway:
        with pytest.raises(AddressWrong, match="OPENAI_BASE_URL"):
            await gateway.ask(call())


async def test_a_server_without_schemas_is_asked_ever_simpler(
    server: ModelServer, gateway: OpenAIGateway
) -> None:
    no_schema = refused(400, message="response_format json_schema is not supported")
    no_cap = refused(400, param="max_completion_tokens", code="unsupported_parameter")
    server.then(no_cap, no_schema, no_schema, no_schema, completion('```json\n{"title": "A"}\n```'))

    for _ in range(4):
        with pytest.raises(NotSupported):
            await gateway.ask(call())
    answer = await gateway.ask(call())

    last = server.asked[-1]
    assert answer.value == {"title": "A"}
    assert last["max_tokens"] == 50
    assert "response_format" not in last
    assert '"maxLength": 20' in last["messages"][0]["content"]


async def test_a_server_that_takes_nothing_is_not_asked_for_ever(
    server: ModelServer, gateway: OpenAIGateway
) -> None:
    server.otherwise = lambda _: refused(400, message="unsupported schema")
    kinds: list[type[ModelError]] = []

    for _ in range(5):
        with pytest.raises(ModelError) as caught:
            await gateway.ask(call())
        kinds.append(type(caught.value))

    assert kinds[-1] is CallRejected


async def test_a_stream_ends_with_what_it_took(server: ModelServer, gateway: OpenAIGateway) -> None:
    server.then(streamed("Once ", "upon"))

    pieces = await all_of(gateway.stream(call(None)))

    assert [piece.text for piece in pieces] == ["Once ", "upon", ""]
    assert pieces[-1].provenance is not None
    assert pieces[-1].provenance.usage == Usage(input=7, output=2)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (streamed("Once ", finish=None), AnswerLost),
        (streamed("Once ", finish=None, done=False), AnswerLost),
        (streamed("Once ", finish="length"), AnswerCut),
        (streamed("Once ", finish="content_filter"), Refused),
        (Said(body='data: {"error": {"message": "overloaded"}}\n\n'), AnswerLost),
        (Said(body='data: {"choices": [{"del\n\n'), AnswerLost),
        (Said(body='data: {"choices": []}\n\n', cut=True), AnswerLost),
        (refused(503), ProviderDown),
    ],
    ids=lambda value: getattr(value, "__name__", "") or str(value)[:70],
)
async def test_a_stream_that_is_not_finished_is_an_error(
    server: ModelServer, gateway: OpenAIGateway, reply: Said, kind: type[ModelError]
) -> None:
    server.then(reply)

    with pytest.raises(ModelError) as caught:
        await all_of(gateway.stream(call(None)))

    assert type(caught.value) is kind


async def test_vectors_come_in_the_order_of_the_texts(
    server: ModelServer, gateway: OpenAIGateway
) -> None:
    body = '{"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [1, 0]}]}'
    server.then(Said(body=body))

    made = await gateway.embed(embedding("a", "b"))

    assert made.vectors.tolist() == [[1, 0], [0, 2]]
    assert made.provenance.usage == Usage(input=3)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Said(body='{"data": [{"index": 0, "embedding": [NaN, 1, 0]}]}'), "NaN"),
        (Said(body='{"data": [{"index": 0, "embedding": [1e39, 1, 0]}]}'), "infinite"),
        (vectors([1, 2]), "2 dimensions instead of 3"),
        (vectors([]), "one dimension"),
        (vectors([1, 2, 3], [1, 2, 3]), "2 vectors came for 1"),
        (Said(body='{"data": []}'), "0 vectors came for 1"),
    ],
)
async def test_vectors_that_are_none_are_an_error(
    server: ModelServer, gateway: OpenAIGateway, reply: Said, words: str
) -> None:
    server.then(reply)

    with pytest.raises(VectorsInvalid, match=words):
        await gateway.embed(embedding("a", dimension=3))
