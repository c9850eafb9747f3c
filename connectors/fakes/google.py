"""What the fakes of Google's services share: who is let in, what goes wrong, batches, a server."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import compat32
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

Reply = tuple[int, Any]
"""A status, and what is answered: bytes as they are, anything else as JSON."""


class Fault(StrEnum):
    """How a call can fail; each is scripted for so many of the next calls."""

    PACE = "pace"  # 403 userRateLimitExceeded
    TOO_MANY = "too_many"  # 429, with a time
    SERVER = "server"  # 503
    SCOPE = "scope"  # 403, the token may not
    GARBAGE = "garbage"  # 200 with a page of a proxy


@dataclass(slots=True)
class Service:
    """``before`` is called before each call is answered: things happen then."""

    tokens: set[str] = field(default_factory=lambda: {"token"})
    faults: dict[Fault, int] = field(default_factory=dict[Fault, int])
    calls: list[str] = field(default_factory=list[str])
    requests: int = 0
    before: Callable[[Any], None] | None = None

    def take(self, fault: Fault) -> bool:
        left = self.faults.get(fault, 0)
        if left:
            self.faults[fault] = left - 1
        return left > 0

    def units(self, prices: Any) -> int:
        """What all calls came to."""
        return sum(prices.units[call] for call in self.calls)

    def admit(self, call: str, authorization: str) -> None:
        if self.before:
            self.before(self)
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise Refusal(401, "authError", "Invalid Credentials")
        if self.take(Fault.SCOPE):
            raise Refusal(403, "insufficientPermissions", "Request had insufficient scopes.")
        if self.take(Fault.PACE):
            raise Refusal(403, "userRateLimitExceeded", "User Rate Limit Exceeded")
        if self.take(Fault.TOO_MANY):
            raise Refusal(429, "rateLimitExceeded", "Too many concurrent requests for user")
        if self.take(Fault.SERVER):
            raise Refusal(503, "backendError", "Backend Error")
        self.calls.append(call)


class Refusal(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        error = {"code": status, "message": message, "errors": [{"reason": reason}]}
        self.reply: Reply = (status, {"error": error})


@dataclass(frozen=True, slots=True)
class Asked:
    call: str
    names: Sequence[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Fake(ABC):
    """``check`` is shown every good answer with the name of Google's schema for it."""

    routes: ClassVar[Sequence[tuple[str, re.Pattern[str]]]]
    schemas: ClassVar[Mapping[str, str]]

    def __init__(self, service: Service, check: Callable[[str, Any], None] | None = None) -> None:
        self.service, self.check = service, check
        self._lock = Lock()

    @abstractmethod
    def route(self, asked: Asked) -> Any:
        """The answer. Raises ``Refusal``."""

    def charged(self, call: str, query: Mapping[str, str]) -> str:  # noqa: ARG002  # some look at it
        """What a call is noted as: one path may be two calls, at two prices."""
        return call

    def answer(self, url: str, headers: Mapping[str, str], sent: bytes = b"") -> Reply:
        with self._lock:
            try:
                body = self._answer(url, headers, sent)
            except Refusal as refusal:
                return refusal.reply
        return (204, b"") if body is None else (200, body)

    def _answer(self, url: str, headers: Mapping[str, str], sent: bytes) -> Any:
        parts = urlsplit(url)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        for call, route in self.routes:
            if match := route.fullmatch(parts.path):
                self.service.admit(self.charged(call, query), headers.get("authorization", ""))
                names = [unquote(each) for each in match.groups()]
                body = self.route(Asked(call, names, query, headers, sent))
                if self.check and body is not None and not isinstance(body, bytes):
                    self.check(self.schemas[call], body)
                return body
        raise Refusal(404, "notFound", "Not Found")


def handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            fake.service.requests += 1
            if fake.service.take(Fault.GARBAGE):
                return self._send(200, b"<!DOCTYPE html><title>Sign in</title>", "text/html")
            return self._send(*replied(fake, self.path, self._said, b""))

        def do_POST(self) -> None:  # the library's name
            fake.service.requests += 1
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            self._send(*posted(fake, self.path, self._said, body))

        @property
        def _said(self) -> dict[str, str]:
            return {name.lower(): value for name, value in self.headers.items()}

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def replied(
    fake: Fake, url: str, headers: Mapping[str, str], sent: bytes
) -> tuple[int, bytes, str]:
    """An answer as it goes over the wire, with its type."""
    status, body = fake.answer(url, headers, sent)
    if isinstance(body, bytes):
        return status, body, "application/octet-stream"
    return status, json.dumps(body).encode(), "application/json"


def posted(fake: Fake, url: str, headers: Mapping[str, str], sent: bytes) -> tuple[int, bytes, str]:
    if not url.startswith("/batch"):
        return replied(fake, url, headers, sent)
    kind, authorization = headers.get("content-type", ""), headers.get("authorization", "")
    return 200, batched(fake, sent, kind, authorization), "multipart/mixed; boundary=batch_fake"


def batched(fake: Fake, body: bytes, kind: str, authorization: str) -> bytes:
    """A batch: each part is a request, and has its own answer."""
    together = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + body, policy=compat32)
    parts: Any = together.get_payload()
    answers = []
    for part in parts:
        url = str(part.get_payload()).split(" ", 2)[1]
        status, answer = fake.answer(url, {"authorization": authorization})
        name = str(part["content-id"]).replace("<", "<response-", 1)
        text = json.dumps(answer)
        answers.append(
            f"--batch_fake\r\nContent-Type: application/http\r\nContent-ID: {name}\r\n\r\n"
            f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}\r\n"
        )
    return ("".join(answers) + "--batch_fake--\r\n").encode()


@contextmanager
def serving(fake: Fake, *, port: int = 0) -> Iterator[str]:
    """Serve it on loopback, and answer its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler(fake))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
