"""The fake Gmail as a server: routes, batches, refusals, and one thread for each connection."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import compat32
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from connectors.gmail.fake import shapes
from connectors.gmail.fake.world import Fault, World
from connectors.gmail.quota import Call

_USER = r"/gmail/v1/users/me"
_ROUTES = (
    (Call.PROFILE, re.compile(rf"{_USER}/profile")),
    (Call.LIST, re.compile(rf"{_USER}/messages")),
    (Call.MESSAGE, re.compile(rf"{_USER}/messages/([^/]+)")),
    (Call.THREAD, re.compile(rf"{_USER}/threads/([^/]+)")),
    (Call.HISTORY, re.compile(rf"{_USER}/history")),
    (Call.ATTACHMENT, re.compile(rf"{_USER}/messages/([^/]+)/attachments/([^/]+)")),
)
SCHEMAS = {
    Call.PROFILE: "Profile",
    Call.LIST: "ListMessagesResponse",
    Call.MESSAGE: "Message",
    Call.THREAD: "Thread",
    Call.HISTORY: "ListHistoryResponse",
    Call.ATTACHMENT: "MessagePartBody",
}
Reply = tuple[int, Any]


class Refusal(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        error = {"code": status, "message": message, "errors": [{"reason": reason}]}
        self.reply: Reply = (status, {"error": error})


class Fake:
    """``check`` is shown every good answer with the name of Google's schema for it."""

    def __init__(self, world: World, check: Any = None) -> None:
        self.world, self.check = world, check
        self._lock = Lock()

    def answer(self, url: str, authorization: str) -> Reply:
        with self._lock:
            try:
                return 200, self._answer(url, authorization)
            except Refusal as refusal:
                return refusal.reply

    def _answer(self, url: str, authorization: str) -> Any:
        parts = urlsplit(url)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        for call, route in _ROUTES:
            if match := route.fullmatch(parts.path):
                self._admit(call, authorization)
                body = self._route(call, [unquote(each) for each in match.groups()], query)
                if self.check:
                    self.check(SCHEMAS[call], body)
                return body
        raise Refusal(404, "notFound", "Not Found")

    def _admit(self, call: Call, authorization: str) -> None:
        world = self.world
        if world.before:
            world.before(world)
        if authorization.removeprefix("Bearer ") not in world.tokens:
            raise Refusal(401, "authError", "Invalid Credentials")
        if world.take(Fault.SCOPE):
            raise Refusal(403, "insufficientPermissions", "Request had insufficient scopes.")
        if world.take(Fault.PACE):
            raise Refusal(403, "userRateLimitExceeded", "User Rate Limit Exceeded")
        if world.take(Fault.TOO_MANY):
            raise Refusal(429, "rateLimitExceeded", "Too many concurrent requests for user")
        if world.take(Fault.SERVER):
            raise Refusal(503, "backendError", "Backend Error")
        world.calls.append(call)

    def _route(self, call: Call, names: list[str], query: Mapping[str, str]) -> Any:
        match call:
            case Call.PROFILE:
                return self._profile()
            case Call.LIST:
                return self._list(query)
            case Call.HISTORY:
                return self._history(query)
            case Call.MESSAGE if names[0] in self.world.messages:
                return shapes.full(self.world.messages[names[0]])
            case Call.THREAD if members := self.world.thread(names[0]):
                return {"id": names[0], "historyId": str(max(each.history for each in members)),
                        "messages": [shapes.full(each) for each in members]}  # fmt: skip
            case Call.ATTACHMENT if names[0] in self.world.messages:
                content = shapes.files(self.world.messages[names[0]])[names[1]]
                return {"size": len(content), "data": shapes.encoded(content)}
        raise Refusal(404, "notFound", "Requested entity was not found.")

    def _profile(self) -> Any:
        messages = self.world.messages.values()
        return {
            "emailAddress": self.world.address,
            "messagesTotal": len(messages),
            "threadsTotal": len({each.thread for each in messages}),
            "historyId": str(self.world.history),
        }

    def _list(self, query: Mapping[str, str]) -> Any:
        """Tokens count from the top: the unkindest way that a listing may go on."""
        era, _, place = query.get("pageToken", f"{self.world.forgotten}.0").partition(".")
        if not place.isdigit() or era != str(self.world.forgotten):
            raise Refusal(400, "invalidArgument", "Invalid pageToken")
        found, start = self.world.listing(), int(place)
        end = start + min(int(query.get("maxResults", "100")), 500)
        page: dict[str, Any] = {"resultSizeEstimate": len(found)}
        if messages := [shapes.reference(each) for each in found[start:end]]:
            page["messages"] = messages
        if end < len(found):
            page["nextPageToken"] = f"{era}.{end}"
        return page

    def _history(self, query: Mapping[str, str]) -> Any:
        start = int(query["startHistoryId"])
        if start < self.world.forgotten:
            raise Refusal(404, "notFound", "Requested entity was not found.")
        after = [each for each in self.world.happened if each.id > start]
        most = int(query.get("maxResults", "100"))
        answer: dict[str, Any] = {"historyId": str(self.world.history)}
        if after:
            answer["history"] = [shapes.record(each) for each in after[:most]]
        if len(after) > most:
            answer["nextPageToken"] = str(after[most].id)
        return answer


def handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            fake.world.requests += 1
            if fake.world.take(Fault.GARBAGE):
                return self._send(200, b"<!DOCTYPE html><title>Sign in</title>", "text/html")
            status, body = fake.answer(self.path, self.headers.get("authorization", ""))
            return self._send(status, json.dumps(body).encode(), "application/json")

        def do_POST(self) -> None:  # the library's name
            fake.world.requests += 1
            length = int(self.headers.get("content-length", "0"))
            kind = self.headers.get("content-type", "")
            authorization = self.headers.get("authorization", "")
            body = batched(fake, self.rfile.read(length), kind, authorization)
            self._send(200, body, "multipart/mixed; boundary=batch_fake")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def batched(fake: Fake, body: bytes, kind: str, authorization: str) -> bytes:
    """A batch: each part is a request, and has its own answer."""
    together = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + body, policy=compat32)
    parts: Any = together.get_payload()
    answers = []
    for part in parts:
        url = str(part.get_payload()).split(" ", 2)[1]
        status, answer = fake.answer(url, authorization)
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
