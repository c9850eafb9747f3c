"""An OAuth 2.0 authorization server on loopback: ``python -m connectors.fakes.oauth``.

It holds to RFC 6749, 7636, 7009 and 9207, as a provider would: exact redirect addresses, PKCE
with S256 and nothing else, codes that work once and for a minute, refresh tokens that rotate and
whose reuse ends the grant. Its consent page has the buttons an owner has: allow all, allow some,
deny. ``POST /control`` bends it: ``{"revoke": true}`` ends every grant, ``{"fail": 503}`` fails
the next request for tokens, ``{"lifetime_seconds": 1}`` shortens tokens to come, ``{"drop":
"scope"}`` takes a scope away, ``{"rotate": false}`` keeps refresh tokens. ``GET /account`` is a
resource: it answers who the bearer of a token is, or 401. ``GET /story`` tells what was asked.
"""

import argparse
import html
import json
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from connectors.fakes.grants import Provider, Refused

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Consent</title>
<h1>{app} wants to see what is {user}'s</h1><form method="get" action="/decide">
{scopes}<input type="hidden" name="request" value="{request}">
<button name="verdict" value="allow">Allow</button>
<button name="verdict" value="deny">Deny</button></form></html>"""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: Provider


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:  # http.server calls it by this name
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        provider = self.server.provider
        with provider.lock:
            try:
                match url.path:
                    case "/authorize":
                        self._page(provider, query, provider.ask(query))
                    case "/decide":
                        scopes = parse_qs(url.query).get("scope", [])
                        decided = provider.decide(query["request"], query["verdict"], scopes)
                        self._go(decided)
                    case "/account":
                        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                        self._json(HTTPStatus.OK, provider.account(bearer))
                    case "/story":
                        self._json(HTTPStatus.OK, provider.story)
                    case _:
                        self._json(HTTPStatus.NOT_FOUND, {})
            except Refused as no:
                self._json(no.status, {"error": no.code})

    def do_POST(self) -> None:  # http.server calls it by this name
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        provider = self.server.provider
        with provider.lock:
            try:
                if self.path == "/control":
                    provider.control(json.loads(body))
                    self._json(HTTPStatus.OK, {})
                elif self.path == "/token":
                    self._json(HTTPStatus.OK, provider.token(self._form(body)))
                elif self.path == "/revoke":
                    provider.revoke(self._form(body))
                    self._json(HTTPStatus.OK, {})
                else:
                    self._json(HTTPStatus.NOT_FOUND, {})
            except Refused as no:
                self._json(no.status, {"error": no.code})

    def do_DELETE(self) -> None:  # http.server calls it by this name
        """GitHub's way of revoking: DELETE /applications/{client_id}/grant with an access token."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        provider = self.server.provider
        with provider.lock:
            try:
                provider.revoke(self._form("") | {"token": json.loads(body)["access_token"]})
                self._send(HTTPStatus.NO_CONTENT, "application/json", b"")
            except Refused as no:
                self._json(no.status, {"error": no.code})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Addresses bear codes and states: nothing is logged."""

    def _form(self, body: str) -> dict[str, str]:
        form = {name: values[0] for name, values in parse_qs(body).items()}
        header = self.headers.get("Authorization", "")
        if header.startswith("Basic "):
            user, _, password = b64decode(header.removeprefix("Basic ")).decode().partition(":")
            form |= {"client_id": user, "client_secret": password}
        return form

    def _page(self, provider: Provider, query: Mapping[str, str], request: str) -> None:
        boxes = "".join(
            f'<p><label><input type="checkbox" name="scope" value="{html.escape(scope)}" checked>'
            f"{html.escape(scope)}</label></p>"
            for scope in query.get("scope", "").split()
        )
        page = PAGE.format(
            app=html.escape(provider.client_id),
            user=html.escape(provider.user),
            scopes=boxes,
            request=html.escape(request),
        )
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page.encode())

    def _go(self, where: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, status: HTTPStatus, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: HTTPStatus, media: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(provider: Provider, *, port: int = 0) -> Iterator[str]:
    """The server's address, as long as this lasts."""
    server = Server(("127.0.0.1", port), Handler)
    server.provider = provider
    url = f"http://127.0.0.1:{server.server_address[1]}"
    provider.issuer = url
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8421)
    parser.add_argument("redirect_uri", nargs="+", help="addresses that codes may be sent to")
    options = parser.parse_args()
    provider = Provider(frozenset(options.redirect_uri))
    with serving(provider, port=options.port) as url:
        print(f"{url}/authorize, /token and /revoke; client headwater")  # noqa: T201  # a program
        threading.Event().wait()


if __name__ == "__main__":
    main()
