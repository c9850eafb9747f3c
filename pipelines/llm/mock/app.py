"""The provider's HTTP: the api it imitates under ``/v1``, and ``/control`` for whoever runs it."""

import asyncio
import json
import math
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import count
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pipelines.llm.mock import answers, replies, words
from pipelines.llm.mock.door import Admission, Door, Visit
from pipelines.llm.mock.plan import Plan
from pipelines.llm.mock.replies import Json, Spoken
from pipelines.llm.mock.words import Flaw

LOOPBACK = {"127.0.0.1", "::1"}
CAP = 4_096  # of output, where the request has none


class Provider:
    """One key's account. Times are seconds of a monotonic clock."""

    def __init__(
        self, plan: Plan, *, seed: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.door = Door(plan, clock())
        self.chance = random.Random(seed)  # noqa: S311  # to be the same again
        self.numbers = count(1)

    def become(self, plan: Plan) -> None:
        """Another plan, with an account and meters that begin now."""
        self.door = Door(plan, self.clock())

    async def chat(self, request: Request) -> Response:
        body: Json = await request.json()
        turns = [_said(message.get("content")) for message in body["messages"]]
        cap = int(body.get("max_completion_tokens") or body.get("max_tokens") or CAP)
        form: Json = body.get("response_format") or {}
        schema: Json | None = (form.get("json_schema") or {}).get("schema")
        visit = _visit(request, body, "".join(turns), cap)
        spoken = await self._speak(body, visit, schema, turns[-1])
        if isinstance(spoken, Response):
            return spoken
        said, headers, wrong = spoken
        if not body.get("stream"):
            return JSONResponse(replies.completion(said), headers=headers)
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        pieces = replies.completion_pieces(said, usage=usage)
        return self._streamed(pieces, headers, cut=wrong is Flaw.CUT_STREAM)

    async def responses(self, request: Request) -> Response:
        body: Json = await request.json()
        given = body.get("input", "")
        told = given if isinstance(given, list) else [{"content": given}]
        turns = [str(body.get("instructions") or "")]
        turns += [_said(turn.get("content")) for turn in told]
        cap = int(body.get("max_output_tokens") or CAP)
        schema: Json | None = ((body.get("text") or {}).get("format") or {}).get("schema")
        visit = _visit(request, body, "".join(turns), cap)
        spoken = await self._speak(body, visit, schema, turns[-1])
        if isinstance(spoken, Response):
            return spoken
        said, headers, wrong = spoken
        if not body.get("stream"):
            return JSONResponse(replies.response(said), headers=headers)
        pieces = replies.response_pieces(said)
        return self._streamed(pieces, headers, cut=wrong is Flaw.CUT_STREAM)

    async def embeddings(self, request: Request) -> Response:
        body: Json = await request.json()
        given = body["input"]
        texts = [str(each) for each in given] if isinstance(given, list) else [str(given)]
        visit = _visit(request, body, "".join(texts), 0, output=False)
        admission = self.door.enter(visit, self.clock())
        if not admission.is_open:
            return _error(admission)
        wrong = words.flaw(self.plan, self.chance)
        if wrong is Flaw.ERROR_500:
            return _broken()
        await asyncio.sleep(self._latency(0))
        self.door.account.texts.update(texts if wrong is Flaw.NONE else ())
        size = int(body.get("dimensions") or self.plan.dimension)
        data = [_row(at, told, size, wrong, body) for at, told in enumerate(texts)]
        usage = {"prompt_tokens": visit.input_tokens, "total_tokens": visit.input_tokens}
        answer = {"object": "list", "model": body["model"], "data": data, "usage": usage}
        # Written by hand: NaN is no JSON, and some servers write it all the same.
        written, headers = json.dumps(answer), dict(admission.headers)
        return Response(written, media_type="application/json", headers=headers)

    async def models(self, _request: Request) -> Response:
        data = [
            {"id": name, "object": "model", "created": 1, "owned_by": "mock"}
            for name in self.plan.models
        ]
        return JSONResponse({"object": "list", "data": data})

    async def control(self, request: Request) -> Response:
        """GET: the plan and the account. PATCH: change some of the plan. POST: begin anew."""
        if request.client is None or request.client.host not in LOOPBACK:
            return JSONResponse({"error": "only from this machine"}, status_code=403)
        if request.method != "GET":
            changes: Json = json.loads(await request.body() or b"{}")
            before = self.plan.model_dump() if request.method == "PATCH" else {}
            try:
                self.become(Plan.model_validate({**before, **changes}))
            except ValidationError as error:
                return JSONResponse({"error": str(error)}, status_code=422)
        plan = self.plan.model_dump(mode="json")
        return JSONResponse({"plan": plan, "account": self.door.account.report(self.clock())})

    @property
    def plan(self) -> Plan:
        return self.door.plan

    async def _speak(
        self, body: Json, visit: Visit, schema: Json | None, asked: str
    ) -> Response | tuple[Spoken, dict[str, str], Flaw]:
        admission = self.door.enter(visit, self.clock())
        if not admission.is_open:
            return _error(admission)
        wrong = words.flaw(self.plan, self.chance)
        if wrong is Flaw.ERROR_500:
            return _broken()
        told = words.text(schema, asked, wrong, self.chance)
        output = max(1, math.ceil(len(told) / 4))
        if output > visit.max_tokens:
            told, output = told[: visit.max_tokens * 4], visit.max_tokens
            wrong = Flaw.TRUNCATED
        self.door.account.answers += 1
        if wrong is Flaw.NONE:
            self.door.account.items.update(answers.items(asked))
        await asyncio.sleep(self._latency(0 if body.get("stream") else output))
        self.door.charge_output(output, self.clock())
        spoken = Spoken(
            id=f"mock-{next(self.numbers)}",
            model=body["model"],
            text=told,
            input_tokens=visit.input_tokens,
            output_tokens=output,
            cut=wrong is Flaw.TRUNCATED,
            refused=wrong is Flaw.REFUSAL,
        )
        return spoken, dict(admission.headers), wrong

    def _latency(self, tokens: int) -> float:
        usual = self.plan.first_token_seconds + tokens * self.plan.token_seconds
        return usual * self.chance.lognormvariate(0, self.plan.spread)

    def _streamed(
        self, pieces: Iterator[str], headers: dict[str, str], *, cut: bool
    ) -> StreamingResponse:
        told = list(pieces)
        if cut:  # the connection ends as if all were well, without a finish reason
            told = told[: len(told) // 2]
        pause = self.plan.token_seconds * replies.PIECE / 4
        return StreamingResponse(_slowly(told, pause), headers=headers, media_type=EVENT_STREAM)


EVENT_STREAM = "text/event-stream"


def make_app(provider: Provider) -> Starlette:
    return Starlette(
        routes=[
            Route("/v1/chat/completions", provider.chat, methods=["POST"]),
            Route("/v1/responses", provider.responses, methods=["POST"]),
            Route("/v1/embeddings", provider.embeddings, methods=["POST"]),
            Route("/v1/models", provider.models),
            Route("/control", provider.control, methods=["GET", "PATCH", "POST"]),
        ]
    )


async def _slowly(pieces: list[str], pause_seconds: float) -> AsyncGenerator[str]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(pause_seconds)


def _visit(request: Request, body: Json, asked: str, cap: int, *, output: bool = True) -> Visit:
    """Whose call it is says the header ``x-tenant``, else the field ``user``."""
    tenant = request.headers.get("x-tenant") or body.get("user") or "nobody"
    return Visit(
        tenant=str(tenant),
        characters=len(asked),
        max_tokens=cap,
        model=str(body["model"]),
        key=request.headers.get("authorization", "").removeprefix("Bearer "),
        output=output,
    )


def _said(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _row(at: int, told: str, size: int, wrong: Flaw, body: Json) -> Json:
    numbers = words.vector(told, size)
    if wrong is Flaw.BAD_VECTORS:
        numbers = [math.nan, *numbers[1:]]
    in_base64 = body.get("encoding_format") == "base64"
    value = words.encoded(numbers) if in_base64 else numbers
    return {"object": "embedding", "index": at, "embedding": value}


def _error(admission: Admission) -> JSONResponse:
    body = {"error": {"param": None, **admission.error}}
    return JSONResponse(body, status_code=admission.status, headers=dict(admission.headers))


def _broken() -> JSONResponse:
    error = {
        "message": "The server had an error while processing your request.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    return JSONResponse({"error": error}, status_code=500)
