"""What every request passes: an id, the checks at the door, headers for browsers, one log line.

Without keys the only protection is that nobody else can reach this server. A web page in the
user's browser can, so the door refuses what pages of other sites send: by name (a foreign Host is a
rebound DNS name), and by Origin and Sec-Fetch-Site. Origins that the operator named may come in,
and then have to show a token: ``api.knocking``.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import origins
from api.lasting import PLACE, Lasting
from api.origins import SAFE
from api.problems import Code, Problem
from api.quotas import Seat

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
PROBES = frozenset({"/livez", "/readyz"})
HINTS = "/v1/hints/"
"""Anybody may send these, and a storm of them must keep nobody else out. They wait in one queue."""

AT_ONCE = 512
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
BODY_PATIENCE_SECONDS = 30.0
FOR_BROWSERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

log = structlog.get_logger()


@dataclass(slots=True)
class Working:
    """How many requests have no answer yet."""

    number: int = 0


@dataclass(slots=True)
class Edge:
    app: ASGIApp
    hosts: frozenset[str] = LOOPBACK
    origins: frozenset[str] = frozenset()
    at_once: int = AT_ONCE
    max_body_bytes: int = 1_000_000
    working: Working = field(default_factory=Working)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        foreign = origins.is_named(headers, scope["path"], self.origins)
        answer = Answer(
            send, _request_id(headers), headers["origin"] if foreign else None, self.working
        )
        answer.state = scope.setdefault("state", {})
        answer.state["request_id"] = answer.request_id
        try:
            check_host(headers, self.hosts, scope["path"])
            asked_first = origins.preflight(scope["method"], headers) if foreign else None
            if asked_first is not None:
                await asked_first(scope, receive, answer.send)
                return
            if not foreign:
                origins.check(scope["method"], headers)
            if scope["method"] not in SAFE:
                receive = await self._body(headers, receive)
            # Only now: a body that comes slowly is no work, and may not keep others out.
            if not scope["path"].startswith(HINTS):
                answer.work(most=None if scope["path"] in PROBES else self.at_once)
            await self._answer(scope, receive, answer)
        except Problem as problem:
            await problem.response(answer.request_id)(scope, receive, answer.send)
        except Exception as error:  # noqa: BLE001  # the edge: told in the log, never to the caller
            await answer.broken(error, scope, receive)
        finally:
            answer.leave()
            answer.tell(scope)

    async def _answer(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        # A copy: what is put into it on the way in goes when they are out again.
        await self.app({**scope}, receive, answer.send)
        lasting: Lasting | None = answer.state.pop(PLACE, None)
        if lasting is not None:
            await lasting.go_on(receive, answer.send)

    async def _body(self, headers: Headers, receive: Receive) -> Receive:
        said = headers.get("content-length", "")
        if said.isdecimal() and int(said) > self.max_body_bytes:
            raise too_large(self.max_body_bytes)
        try:
            async with asyncio.timeout(BODY_PATIENCE_SECONDS):
                body = await read_body(receive, most=self.max_body_bytes)
        except TimeoutError:
            raise Problem(Code.REFUSED, "The body did not arrive in time.", status=408) from None
        if body:
            check_type(headers)
        return _replayed(body, receive)


@dataclass(slots=True)
class Answer:
    """The way out: adds what every answer carries, and remembers what was answered."""

    out: Send
    request_id: str
    origin: str | None = None
    """Of a page elsewhere that may read it."""

    working: Working = field(default_factory=Working)
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    """The request's, where ``api.needs`` left its seat."""

    at_work: bool = False
    status: int = 0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.perf_counter()

    def work(self, *, most: int | None) -> None:
        """Begin, unless ``most`` are worked on: who would have to wait for long is told at once."""
        if most is not None and self.working.number >= most:
            detail = f"{most:,} requests are worked on already."
            raise Problem(Code.OVERLOADED, detail, headers={"Retry-After": "1"})
        self.at_work = True
        self.working.number += 1

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            self._begin(headers)
            self.status = message["status"]
            headers["X-Request-ID"] = self.request_id
            for name, value in FOR_BROWSERS.items():
                headers.setdefault(name, value)
            if self.origin is not None:
                origins.permit(headers, self.origin)
        await self.out(message)

    def _begin(self, headers: MutableHeaders) -> None:
        """The work is done, or goes on as a stream, which only listens."""
        self._rest()
        seat: Seat | None = self.state.get("seat")
        if seat is not None:
            seat.answering()
            for name, value in seat.headers.items():
                headers.setdefault(name, value)

    def leave(self) -> None:
        self._rest()  # nobody waited for the answer
        seat: Seat | None = self.state.get("seat")
        if seat is not None:
            seat.leave()

    def _rest(self) -> None:
        if self.at_work:
            self.at_work = False
            self.working.number -= 1

    async def broken(self, error: Exception, scope: Scope, receive: Receive) -> None:
        log.error("request.broke", request_id=self.request_id, path=scope["path"], exc_info=error)
        if self.status:
            raise error  # half an answer is out: only closing the connection is honest
        problem = Problem(Code.INTERNAL, "Headwater did not expect this. It is in its log.")
        await problem.response(self.request_id)(scope, receive, self.send)

    def tell(self, scope: Scope) -> None:
        if scope["path"] in PROBES:
            return
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=self.status,
            milliseconds=round((time.perf_counter() - self.began) * 1000, 1),
            request_id=self.request_id,
        )


def check_host(headers: Headers, hosts: frozenset[str], path: str) -> None:
    """By another name only those come who look whether we live: by the address of a machine."""
    if path in PROBES and hosts > LOOPBACK:
        return
    name = re.sub(r":\d*$", "", headers.get("host", "")).lower()
    if name not in hosts:
        raise Problem(Code.FOREIGN_HOST, "The Host header does not name this server.")


def check_type(headers: Headers) -> None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        said = f"not {media}" if media else "and this has no Content-Type"
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"Bodies are application/json, {said}.")


def too_large(most: int) -> Problem:
    return Problem(Code.PAYLOAD_TOO_LARGE, f"A body may have {most:,} bytes at most.")


async def read_body(receive: Receive, *, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body again, then what really follows."""
    pending = [body]

    async def replay() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid4().hex
