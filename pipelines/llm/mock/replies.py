"""The forms in which OpenAI's api puts an answer (https://platform.openai.com/docs/api-reference)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
PIECE = 12  # characters of a streamed answer that come at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An answer before it takes a form. ``cut``: it ended at its cap; ``refused``: by the model."""

    id: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    cut: bool = False
    refused: bool = False

    @property
    def usage(self) -> Json:
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        }


def completion(spoken: Spoken) -> Json:
    refusal = "I'm sorry, but I can't help with that." if spoken.refused else None
    message = {
        "role": "assistant",
        "content": None if spoken.refused else spoken.text,
        "refusal": refusal,
    }
    return {
        "id": spoken.id,
        "object": "chat.completion",
        "created": 1,
        "model": spoken.model,
        "choices": [{"index": 0, "finish_reason": _finish(spoken), "message": message}],
        "usage": spoken.usage,
    }


def completion_pieces(spoken: Spoken, *, usage: bool) -> Iterator[str]:
    for at in range(0, len(spoken.text), PIECE):
        yield _chunk(spoken, {"content": spoken.text[at : at + PIECE]}, None)
    yield _chunk(spoken, {}, _finish(spoken))
    if usage:
        last = {**_chunk_head(spoken), "choices": [], "usage": spoken.usage}
        yield f"data: {json.dumps(last)}\n\n"
    yield "data: [DONE]\n\n"


def response(spoken: Spoken) -> Json:
    content: Json = {"type": "output_text", "text": spoken.text, "annotations": []}
    if spoken.refused:
        content = {"type": "refusal", "refusal": "I'm sorry, but I can't help with that."}
    status = "incomplete" if spoken.cut else "completed"
    message = {
        "id": f"msg_{spoken.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [content],
    }
    return {
        "id": spoken.id,
        "object": "response",
        "created_at": 1,
        "model": spoken.model,
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if spoken.cut else None,
        "error": None,
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": {
            "input_tokens": spoken.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": spoken.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": spoken.input_tokens + spoken.output_tokens,
        },
    }


def response_pieces(spoken: Spoken) -> Iterator[str]:
    whole = response(spoken)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield _event("response.created", 0, response=begun)
    number = 1
    for at in range(0, len(spoken.text), PIECE):
        yield _event(
            "response.output_text.delta",
            number,
            item_id=f"msg_{spoken.id}",
            output_index=0,
            content_index=0,
            delta=spoken.text[at : at + PIECE],
            logprobs=[],
        )
        number += 1
    yield _event(f"response.{whole['status']}", number, response=whole)


def _event(kind: str, number: int, **fields: Any) -> str:
    body = json.dumps({"type": kind, "sequence_number": number, **fields})
    return f"event: {kind}\ndata: {body}\n\n"


def _chunk(spoken: Spoken, delta: Json, finish: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**_chunk_head(spoken), 'choices': [choice]})}\n\n"


def _chunk_head(spoken: Spoken) -> Json:
    return {
        "id": spoken.id,
        "object": "chat.completion.chunk",
        "created": 1,
        "model": spoken.model,
    }


def _finish(spoken: Spoken) -> str:
    return "length" if spoken.cut else "stop"
