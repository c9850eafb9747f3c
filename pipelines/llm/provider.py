"""The OpenAI SDK, and whatever speaks the same: the only module that knows it.

One request a call: the SDK's own retries are off, for it retries what must not be retried (an empty
account) and does not retry what may be (a wait of more than two minutes). Replies are read here
from their bytes, for the SDK's types accept any and its parsing takes cut answers for broken ones.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import openai

from pipelines.llm import forms, replies
from pipelines.llm.dialects import Dialect
from pipelines.llm.errors import (
    AddressWrong,
    AnswerCut,
    AnswerLost,
    AnswerMalformed,
    CallRejected,
    ModelError,
    NotSupported,
    ProviderDown,
    Refused,
    Reply,
    VectorsInvalid,
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
from pipelines.llm.sorting import kept_headers, request_id, sort

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 180.0
"""How long a provider may say nothing: a long answer that is not streamed comes late, at once."""


@dataclass(slots=True)
class OpenAIGateway:
    """Made by ``open_provider``."""

    client: openai.AsyncOpenAI
    dialects: dict[str, Dialect] = field(default_factory=dict[str, Dialect])
    """By model, where something was refused."""

    async def ask(self, call: Call) -> Answer:
        with self._learning(call.model) as dialect, _sorted(call.model):
            raw = await self.client.chat.completions.with_raw_response.create(
                **dialect.request(call), timeout=_timeout(call.caller)
            )
        completion = replies.parse(replies.Completion, raw.http_response.text)
        if completion is None:
            raise _no_reply(call.model, raw.headers, raw.http_response.text)
        usage = completion.usage.counted() if completion.usage else _assumed(call, completion)
        finished = _Finished(call.model, raw.headers, usage)
        finished.check(completion.finish_reason, refusal=completion.message.refusal)
        value = finished.value(completion.message.content or "", call)
        return Answer(value, finished.provenance(completion.model))

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        heard = _Heard()
        with self._learning(call.model) as dialect, _sorted(call.model):
            request = dialect.request(call)
            if dialect.extras:
                request["stream_options"] = {"include_usage": True}
            raw = await self.client.chat.completions.with_raw_response.create(
                **request, stream=True, timeout=_timeout(call.caller)
            )
        async with aclosing(_pieces(raw, call.model)) as pieces:
            async for piece in pieces:
                if text := heard.add(piece):
                    yield Piece(text)
        counted = heard.usage or _of_length(call, heard.characters)
        finished = _Finished(call.model, raw.headers, counted)
        finished.check(heard.finish_reason, refusal=heard.refusal)
        yield Piece(provenance=finished.provenance(heard.model))

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        request: dict[str, Any] = {"model": call.model, "input": list(call.texts)}
        if call.dimension is not None:
            request["dimensions"] = call.dimension
        with _sorted(call.model):
            raw = await self.client.embeddings.with_raw_response.create(
                **request, encoding_format="float", timeout=_timeout(call.caller)
            )
        found = replies.parse(replies.Vectors, raw.http_response.text)
        if found is None:
            raise _no_reply(call.model, raw.headers, raw.http_response.text)
        usage = found.usage.counted() if found.usage else Usage(input=call.input_tokens)
        finished = _Finished(call.model, raw.headers, usage)
        try:
            rows = found.rows(texts=len(call.texts), dimension=call.dimension)
        except ValueError as error:
            raise VectorsInvalid(
                f"The vectors are unusable: {error}", model=call.model, reply=finished.reply()
            ) from None
        return Embeddings(rows, finished.provenance(found.model))

    @contextmanager
    def _learning(self, model: str) -> Iterator[Dialect]:
        """Speak simpler from now on if the server did not understand."""
        dialect = self.dialects.get(model, Dialect())
        try:
            yield dialect
        except NotSupported as error:
            simpler = dialect.without(error.reply.code)
            if simpler == dialect:
                raise CallRejected(error.message, model=model, reply=error.reply) from None
            self.dialects[model] = simpler
            raise


@asynccontextmanager
async def open_provider(*, key: str, base_url: str | None) -> AsyncGenerator[OpenAIGateway]:
    """The provider at ``base_url``; None: OpenAI itself."""
    client = openai.AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0)
    async with client:
        yield OpenAIGateway(client)


@dataclass(slots=True)
class _Heard:
    """What a stream has said so far, but for its text."""

    usage: Usage | None = None
    model: str | None = None
    finish_reason: str | None = None
    refusal: str = ""
    characters: int = 0

    def add(self, piece: replies.CompletionPiece) -> str:
        """Answers the piece's text, if any."""
        self.usage = piece.usage.counted() if piece.usage else self.usage
        self.model = piece.model or self.model
        if not piece.choices:
            return ""
        choice = piece.choices[0]
        self.finish_reason = choice.finish_reason or self.finish_reason
        self.refusal += choice.delta.refusal or ""
        text = choice.delta.content or ""
        self.characters += len(text)
        return text


@dataclass(frozen=True, slots=True)
class _Finished:
    """What a whole reply says of itself."""

    model: str
    headers: Mapping[str, str]
    usage: Usage

    def check(self, finish_reason: str | None, *, refusal: str | None) -> None:
        """Raise unless it is all there."""
        reply = self.reply(finish_reason)
        if refusal or finish_reason == "content_filter":
            raise Refused("The model will not answer this", model=self.model, reply=reply)
        if finish_reason == "length":
            raise AnswerCut("The answer was longer than its cap", model=self.model, reply=reply)
        if finish_reason is None:
            raise AnswerLost("The answer ended before its end", model=self.model, reply=reply)

    def value(self, text: str, call: Call) -> Mapping[str, Any]:
        if call.schema is None:
            return {"text": text}
        try:
            return forms.fit(text, call.schema.body)
        except forms.Misfit as misfit:
            reply = self.reply("malformed")
            raise AnswerMalformed(
                f"The model did not answer in the form: {misfit}", model=self.model, reply=reply
            ) from None

    def provenance(self, model: str | None) -> Provenance:
        """``model`` as the reply names it, which may be a dated version of what was asked."""
        headers = kept_headers(self.headers)
        return Provenance(
            model=model or self.model,
            usage=self.usage,
            request_id=request_id(headers),
            headers=headers,
        )

    def reply(self, code: str | None = None) -> Reply:
        headers = kept_headers(self.headers)
        return Reply(
            status=200,
            code=code,
            request_id=request_id(headers),
            headers=headers,
            usage=self.usage,
        )


async def _pieces(raw: Any, model: str) -> AsyncGenerator[replies.CompletionPiece]:
    """Ends where the provider ended, with or without having said so."""
    with _sorted(model):
        async with raw.parse() as stream:
            async for each in stream:
                yield replies.CompletionPiece.model_validate(each.model_dump())


@contextmanager
def _sorted(model: str) -> Iterator[None]:
    """The SDK's errors as ours. Not chained: they quote what was sent and what came back."""
    try:
        yield
    except openai.APIStatusError as error:
        headers = error.response.headers
        body = error.response.text
        raise sort(status=error.status_code, body=body, headers=headers, model=model) from None
    except openai.APIConnectionError as error:
        raise _unreached(error.__cause__, model) from None
    except httpx2.HTTPError as error:
        raise _unreached(error, model) from None
    except openai.APIError as error:  # told in the middle of a stream, in a reply of status 200
        raise AnswerLost(
            "The model's provider broke the answer off", model=model, reply=Reply(code=error.code)
        ) from None
    except ValueError:
        raise AnswerLost("The answer is garbled", model=model) from None


def _unreached(cause: BaseException | None, model: str) -> ModelError:
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return AddressWrong("OPENAI_BASE_URL is no address", model=model)
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return ProviderDown("The model's provider cannot be reached", model=model)
    return AnswerLost("The connection was lost before the answer was there", model=model)


def _no_reply(model: str, headers: Mapping[str, str], body: str) -> ModelError:
    """A reply of status 200 that is none: half of one is lost, anything else is not a provider."""
    reply = Reply(status=200, headers=kept_headers(headers))
    if body.lstrip().startswith("<"):
        said = "What answers at the model's address is a web page"
        return AddressWrong(said, model=model, reply=reply)
    return AnswerLost("The reply of the model's provider is garbled", model=model, reply=reply)


def _timeout(caller: Caller) -> httpx2.Timeout:
    silence = SILENCE_SECONDS
    if caller.deadline is not None:
        left = (caller.deadline - datetime.now(UTC)).total_seconds()
        silence = max(min(silence, left), 1.0)
    return httpx2.Timeout(silence, connect=min(CONNECT_SECONDS, silence))


def _assumed(call: Call, completion: replies.Completion) -> Usage:
    return _of_length(call, len(completion.message.content or ""))


def _of_length(call: Call, characters: int) -> Usage:
    """For a server that does not count: some four characters a token."""
    return Usage(input=call.input_tokens, output=-(-characters // 4))
