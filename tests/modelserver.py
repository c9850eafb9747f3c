"""A model provider's address on loopback, which answers byte for byte what a test says."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One reply. ``cut``: the connection is closed after the body, whatever its length says."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False

    def wire(self) -> bytes:
        body = self.body.encode()
        length = len(body) + 1_000 * self.cut
        kind = "text/event-stream" if self.body.startswith("data:") else "application/json"
        lines = {"content-type": kind, "content-length": str(length), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {self.status} Said\r\n{head}connection: close\r\n\r\n".encode() + body


@dataclass(slots=True)
class ModelServer:
    """Says the next of ``replies``, then what ``otherwise`` makes of the request's body."""

    url: str = ""
    replies: deque[Said] = field(default_factory=deque[Said])
    otherwise: Callable[[Mapping[str, Any]], Said] | None = None
    asked: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    def then(self, *replies: Said) -> "ModelServer":
        self.replies.extend(replies)
        return self

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            asked = json.loads(await reader.readexactly(length))
            self.asked.append(asked)
            writer.write(self._reply(asked).wire())
            await writer.drain()
        finally:
            writer.close()

    def _reply(self, asked: Mapping[str, Any]) -> Said:
        if self.replies:
            return self.replies.popleft()
        assert self.otherwise is not None, "nobody said what to answer"
        return self.otherwise(asked)


@asynccontextmanager
async def open_model_server() -> AsyncGenerator[ModelServer]:
    server = ModelServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    async with listening:
        yield server


def completion(text: str | None, *, finish: str = "stop", **message: Any) -> Said:
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, **message},
    }
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60},
    }
    body = {"id": "c", "object": "chat.completion", "model": "m-2026", "choices": [choice]}
    headers = {"x-request-id": "req-1", "x-ratelimit-remaining-tokens": "900"}
    return Said(body=json.dumps({**body, "usage": usage}), headers=headers)


def streamed(*words: str, finish: str | None = "stop", done: bool = True) -> Said:
    events: list[Any] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    if finish:
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    events.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
    lines = [f"data: {json.dumps({'model': 'm-2026', **event})}\n\n" for event in events]
    return Said(body="".join(lines) + ("data: [DONE]\n\n" if done else ""))


def vectors(*rows: list[float]) -> Said:
    data = [{"index": number, "embedding": row} for number, row in enumerate(rows)]
    return Said(body=json.dumps({"data": data, "model": "e", "usage": {"prompt_tokens": 5}}))


def refused(status: int, *, message: str = "", code: str | None = None, **more: Any) -> Said:
    headers = more.pop("headers", {})
    error = {"message": message, "code": code, "type": more.pop("type", None), **more}
    return Said(status=status, body=json.dumps({"error": error}), headers=headers)
