"""What a server understands, found out by asking: the best first, something simpler after a no.

Servers that call themselves compatible differ in how an answer is limited in length and held to a
schema. What one of them will not take is left out of every later call to the same model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from pipelines.llm.forms import is_tight, without_bounds
from pipelines.llm.gateway import Call


class Form(IntEnum):
    """How the schema is asked for."""

    STRICT = 0
    UNBOUNDED = 1  # strict, with no limits of length: some strict modes know none
    OBJECT = 2  # any JSON object; the schema stands in the instructions
    PROSE = 3  # the instructions alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    form: Form = Form.STRICT
    cap: str = "max_completion_tokens"
    extras: bool = True
    """What only saves money or counts it: ``prompt_cache_key``, usage at a stream's end."""

    def without(self, parameter: str | None) -> "Dialect":
        """What to try after a server would not take ``parameter``; itself if nothing is left."""
        told = parameter or ""
        if "max" in told and self.cap == "max_completion_tokens":
            return replace(self, cap="max_tokens")
        if told in {"stream_options", "prompt_cache_key", "store"} and self.extras:
            return replace(self, extras=False)
        if self.form < Form.PROSE:
            return replace(self, form=Form(self.form + 1))
        return self

    def request(self, call: Call) -> dict[str, Any]:
        """The body of a chat completion. Instructions first: equal beginnings are cheaper."""
        request: dict[str, Any] = {
            "model": call.model,
            "messages": [
                {"role": "system", "content": self._instructions(call)},
                {"role": "user", "content": call.content},
            ],
            self.cap: call.max_output_tokens,
        }
        if call.schema is not None and self.form < Form.PROSE:
            request["response_format"] = self._format(call.schema.name, call.schema.body)
        if self.extras and call.caller.purpose:
            request["prompt_cache_key"] = call.caller.purpose
        return request

    def _instructions(self, call: Call) -> str:
        if call.schema is None or self.form < Form.OBJECT:
            return call.instructions
        body = json.dumps(call.schema.body, sort_keys=True)
        return f"{call.instructions}\n\nAnswer with one JSON object of this schema:\n{body}"

    def _format(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self.form is Form.OBJECT:
            return {"type": "json_object"}
        schema = body if self.form is Form.STRICT else without_bounds(body)
        return {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": is_tight(schema), "schema": dict(schema)},
        }
