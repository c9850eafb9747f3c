"""One span a call, with all that asking again was part of it.

Names are those of OpenTelemetry's conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/); what those do not know begins
with ``headwater``. What was sent and what came back is in a span only where that was asked for.
"""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from pipelines.errors import MustWait
from pipelines.llm.errors import ModelError
from pipelines.llm.gateway import (
    Answer,
    Call,
    Caller,
    EmbeddingCall,
    Embeddings,
    Gateway,
    Piece,
    Provenance,
)
from storage.money import Prices


@dataclass(frozen=True, slots=True)
class Traced:
    inner: Gateway
    prices: Prices
    content: bool = False

    async def ask(self, call: Call) -> Answer:
        with self._span("chat", call.model, call.caller) as span:
            span.set_attribute("gen_ai.request.max_tokens", call.max_output_tokens)
            self._quote(span, call)
            answer = await self.inner.ask(call)
            self._tell(span, answer.provenance)
            self._quote_answer(span, json.dumps(answer.value, ensure_ascii=False))
            return answer

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        with self._span("chat", call.model, call.caller) as span:
            span.set_attribute("gen_ai.request.max_tokens", call.max_output_tokens)
            self._quote(span, call)
            told = list[str]()
            async with aclosing(self.inner.stream(call)) as pieces:
                async for piece in pieces:
                    self._tell(span, piece.provenance)
                    told.append(piece.text if self.content else "")
                    yield piece
            self._quote_answer(span, "".join(told))

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        with self._span("embeddings", call.model, call.caller) as span:
            made = await self.inner.embed(call)
            self._tell(span, made.provenance)
            return made

    @contextmanager
    def _span(self, operation: str, model: str, caller: Caller) -> Iterator[Span]:
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "headwater.component": caller.purpose,
            "headwater.subject": caller.subject,
            "headwater.class": caller.service.value,
            "run.id": str(caller.run or ""),
        }
        with trace.get_tracer(__name__).start_as_current_span(
            f"{operation} {model}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,  # its cause may quote what was sent
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except (ModelError, MustWait) as error:
                code = error.code if isinstance(error, ModelError) else error.reason.value
                span.set_attribute("error.type", code)
                span.set_status(Status(StatusCode.ERROR, code))
                raise

    def _quote(self, span: Span, call: Call) -> None:
        if self.content:
            said = [_message("user", call.content)]
            span.set_attribute("gen_ai.system_instructions", call.instructions)
            span.set_attribute("gen_ai.input.messages", json.dumps(said, ensure_ascii=False))

    def _quote_answer(self, span: Span, text: str) -> None:
        if self.content:
            said = [_message("assistant", text)]
            span.set_attribute("gen_ai.output.messages", json.dumps(said, ensure_ascii=False))

    def _tell(self, span: Span, provenance: Provenance | None) -> None:
        if provenance is None:
            return
        used = provenance.usage
        cost = self.prices.of(provenance.model).of(
            input_tokens=used.input, cached_tokens=used.cached, output_tokens=used.output
        )
        span.set_attributes(
            {
                "gen_ai.response.model": provenance.model,
                "gen_ai.response.id": provenance.request_id or "",
                "gen_ai.usage.input_tokens": used.input,
                "gen_ai.usage.output_tokens": used.output,
                "gen_ai.usage.cache_read.input_tokens": used.cached,
                "headwater.cost_nanos": 0 if provenance.kept else cost,
                "headwater.kept": provenance.kept,
            }
        )


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}
