"""The fake GitHub as an application: who asks, limits and faults, then what the routes answer."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.github.fake import graphql, routes, shapes
from connectors.github.fake.faults import Fault, Script
from connectors.github.fake.routes import Call, Reply
from connectors.github.fake.world import Account, Asked, Repo, World
from connectors.github.protocol import stamp

_REFUSALS: Mapping[Fault, tuple[int, str, dict[str, str]]] = {
    Fault.PRIMARY_LIMIT: (403, "API rate limit exceeded", {"x-ratelimit-remaining": "0"}),
    Fault.SECONDARY_LIMIT: (403, "You have exceeded a secondary rate limit.", {}),
    Fault.RETRY_AFTER: (429, "Too many requests", {"retry-after": "7"}),
    Fault.TOO_HEAVY: (502, "Something went wrong while executing your query.", {}),
    Fault.SERVER_ERROR: (500, "Server Error", {}),
    Fault.SSO: (
        403,
        "Resource protected by organization SAML enforcement.",
        {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?authorization_request=A"},
    ),
    Fault.SCOPE: (403, "Resource not accessible by personal access token", {}),
    Fault.BLOCKED: (451, "Repository access blocked", {}),
}
_MINT = re.compile(r"/app/installations/(\d+)/access_tokens")
_LOGIN_PAGE = b"<!DOCTYPE html><title>Sign in to your proxy</title>"


@dataclass(slots=True)
class Fake:
    """``validate`` is shown every good answer: the path as asked for, and the body."""

    world: World = field(default_factory=World)
    script: Script = field(default_factory=Script)
    validate: Any = None

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        if self.world.changing:
            self.world.changing(self.world)
        path = request.url.path
        body = await request.body()
        reply = self._fault(path) or self._allowed(request, path, body)
        response = self._told(request, reply)
        conditional = "if-none-match" in request.headers
        query = request.url.query if request.method == "GET" else body.decode()[:200]
        asked = Asked(request.method, path, query, conditional, response.status_code)
        self.world.asked.append(asked)
        return response

    def _fault(self, path: str) -> Reply | None:
        fault = self.script.take(path, (*_REFUSALS, Fault.HTML, Fault.GARBAGE, Fault.GRAPHQL_LIMIT))
        match fault:
            case None:
                return None
            case Fault.HTML:
                return Reply(_LOGIN_PAGE, headers={"content-type": "text/html"})
            case Fault.GARBAGE:
                return Reply(b'[{"number": 1, "tit', headers={"content-type": "application/json"})
            case Fault.GRAPHQL_LIMIT:
                return Reply({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit"}]})
            case _:
                status, message, headers = _REFUSALS[fault]
                return Reply({"message": message}, status, self._reset() | headers)

    def _allowed(self, request: Request, path: str, body: bytes) -> Reply:
        minted = _MINT.fullmatch(path)
        if minted:
            return self._mint(minted[1])
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        account = self.world.accounts.get(token) if scheme else None
        if scheme and account is None:
            return Reply({"message": "Bad credentials"}, 401)
        if self.world.remaining <= 0:
            status, message, headers = _REFUSALS[Fault.PRIMARY_LIMIT]
            return Reply({"message": message}, status, self._reset() | headers)
        if path == "/graphql":
            return self._question(account, body)
        return self._routed(request, path, account)

    def _mint(self, installation: str) -> Reply:
        made = self.world.installed.get(installation)
        if made is None:
            return routes.missing()
        until = stamp(self.world.now + timedelta(hours=1))
        return Reply({"token": made, "expires_at": until}, 201)

    def _question(self, account: Account | None, body: bytes) -> Reply:
        if account is None:
            return Reply({"message": "This endpoint requires you to be authenticated."}, 401)
        try:
            told = graphql.answer(
                self.script, json.loads(body), lambda name: self._find(name, account)
            )
        except ValueError as error:
            return Reply({"errors": [{"message": f"Parse error: {error}"}]})
        return Reply(told)

    def _routed(self, request: Request, path: str, account: Account | None) -> Reply:
        api = str(request.base_url).rstrip("/")
        if path == "/user":
            return Reply(shapes.account(api, account.login)) if account else _unauthorized()
        if path in {"/user/repos", "/installation/repositories"} and account:
            seen = [shapes.repository(api, each) for each in routes.visible(self.world, account)]
            return Reply(seen if path == "/user/repos" else _of_installation(seen))
        for pattern, handler in routes.ROUTES:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            name, rest = match["name"], match.groupdict().get("rest") or ""
            if name.lower() in self.world.moved and name.lower() not in self.world.repos:
                return self._moved(request, api, name)
            repo = self._find(name, account)
            if repo is None:
                return routes.missing()
            query, accept = request.query_params, request.headers.get("accept", "")
            return handler(
                Call(self.world, self.script, api, account, repo, path, query, accept, rest)
            )
        return routes.missing()

    def _moved(self, request: Request, api: str, name: str) -> Reply:
        now = self.world.moved[name.lower()]
        there = f"{api}{request.url.path.replace(name, now, 1)}"
        if request.url.query:
            there += f"?{request.url.query}"
        return Reply({"message": "Moved Permanently", "url": there}, 301, {"location": there})

    def _find(self, name: str, account: Account | None) -> Repo | None:
        there = self.world.moved.get(name.lower(), name).lower()
        found = {repo.full_name.lower(): repo for repo in routes.visible(self.world, account)}
        return found.get(name.lower()) or found.get(there)

    def _told(self, request: Request, reply: Reply) -> Response:
        headers = dict(reply.headers or {})
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        headers.setdefault("content-type", "application/json; charset=utf-8")
        headers["date"] = routes.date(self.world)
        if reply.status == 200 and self.validate and not isinstance(reply.body, bytes):  # noqa: PLR2004
            self.validate(request.method, request.url.path, reply.body)
        if reply.status == 200 and request.method == "GET":  # noqa: PLR2004
            etag = f'W/"{hashlib.sha256(raw).hexdigest()}"'
            etag = headers.setdefault("etag", etag)
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers=self._limits() | headers)
        self.world.remaining -= 1
        return Response(raw, status_code=reply.status, headers=self._limits() | headers)

    def _limits(self) -> dict[str, str]:
        remaining = max(self.world.remaining, 0)
        return self._reset() | {"x-ratelimit-remaining": str(remaining)}

    def _reset(self) -> dict[str, str]:
        reset = self.world.now + timedelta(minutes=12)
        return {"x-ratelimit-limit": "5000", "x-ratelimit-reset": str(int(reset.timestamp()))}


def _of_installation(seen: list[dict[str, Any]]) -> dict[str, Any]:
    return {"total_count": len(seen), "repository_selection": "selected", "repositories": seen}


def _unauthorized() -> Reply:
    return Reply({"message": "Requires authentication"}, 401)
