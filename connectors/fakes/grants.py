"""What a fake authorization server knows: codes, grants, tokens; as RFC 6749 and 7636 have them."""

import hashlib
import hmac
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

CODE_SECONDS = 60.0


@dataclass(slots=True)
class Asked:
    redirect_uri: str
    state: str
    challenge: str
    scopes: tuple[str, ...]


@dataclass(slots=True)
class Code:
    asked: Asked
    grant: "GrantOf"
    until: float
    used: bool = False


@dataclass(slots=True)
class GrantOf:
    user: str
    scopes: tuple[str, ...]
    over: bool = False


@dataclass(slots=True)
class Access:
    grant: GrantOf
    until: float
    over: bool = False


@dataclass(slots=True)
class Refused(Exception):
    """What RFC 6749 section 5.2 answers."""

    code: str
    status: HTTPStatus = HTTPStatus.BAD_REQUEST


@dataclass(slots=True)
class Provider:
    """All that the server knows. One lock around everything: it is a fake."""

    redirect_uris: frozenset[str]
    client_id: str = "headwater"
    client_secret: str = "fake-client-secret"  # noqa: S105  # of the fake
    issuer: str = ""
    user: str = "ada"
    lifetime_seconds: float = 3600.0
    rotate: bool = True
    fail: int | None = None
    story: list[str] = field(default_factory=list[str])
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    codes: dict[str, Code] = field(default_factory=dict[str, Code])
    access: dict[str, Access] = field(default_factory=dict[str, Access])
    refresh: dict[str, GrantOf] = field(default_factory=dict[str, GrantOf])
    spent: dict[str, GrantOf] = field(default_factory=dict[str, GrantOf])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, query: Mapping[str, str]) -> str:
        """Begin at the consent page. What cannot be answered to the app is refused on the page."""
        if query.get("client_id") != self.client_id:
            raise Refused("invalid_client")
        if query.get("redirect_uri") not in self.redirect_uris:
            raise Refused("redirect_uri is not registered, to the letter")
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            raise Refused("invalid_request")
        request = secrets.token_urlsafe(16)
        scopes = tuple(query.get("scope", "").split())
        self.asked[request] = Asked(
            query["redirect_uri"], query.get("state", ""), query.get("code_challenge", ""), scopes
        )
        return request

    def decide(self, request: str, verdict: str, scopes: Sequence[str]) -> str:
        """Where the browser goes then."""
        asked = self.asked.pop(request, None)
        if asked is None:
            raise Refused("this page was answered already")
        answer = {"state": asked.state, "iss": self.issuer}
        if verdict != "allow":
            self.story.append("denied")
            return f"{asked.redirect_uri}?{urlencode({**answer, 'error': 'access_denied'})}"
        granted = tuple(scope for scope in asked.scopes if scope in scopes)
        code = secrets.token_urlsafe(24)
        grant = GrantOf(self.user, granted)
        self.codes[code] = Code(asked, grant, time.monotonic() + CODE_SECONDS)
        self.story.append(f"allowed {' '.join(granted)}")
        return f"{asked.redirect_uri}?{urlencode({**answer, 'code': code})}"

    def token(self, form: Mapping[str, str]) -> Mapping[str, object]:
        self.story.append(f"token {form.get('grant_type')}")
        if self.fail is not None:
            status, self.fail = self.fail, None
            raise Refused("temporarily_unavailable", HTTPStatus(status))
        self._authenticate(form)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form.get("refresh_token", ""))
        code = self.codes.get(form.get("code", ""))
        if code is None or code.until < time.monotonic():
            raise Refused("invalid_grant")
        if code.used:
            code.grant.over = True  # RFC 6749 4.1.2: what was given for it ends, too
            raise Refused("invalid_grant")
        code.used = True
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if not hmac.compare_digest(challenge, code.asked.challenge):
            raise Refused("invalid_grant")
        if form.get("redirect_uri") != code.asked.redirect_uri:
            raise Refused("invalid_grant")
        return self._issue(code.grant, refresh=secrets.token_urlsafe(24))

    def personal_token(self, user: str) -> str:
        """One that somebody made by hand at the provider: for a day, and not to be refreshed."""
        token = f"fake-personal-{secrets.token_urlsafe(24)}"
        self.access[token] = Access(GrantOf(user, ()), time.monotonic() + 86_400)
        return token

    def revoke(self, form: Mapping[str, str]) -> None:
        self._authenticate(form)
        token = form.get("token", "")
        access = self.access.get(token)
        grant = self.refresh.get(token) or (access.grant if access else None)
        if grant is not None:
            grant.over = True
        self.story.append("revoked")

    def account(self, bearer: str) -> Mapping[str, object]:
        access = self.access.get(bearer)
        if access is None or access.over or access.grant.over or access.until < time.monotonic():
            raise Refused("invalid_token", HTTPStatus.UNAUTHORIZED)
        return {"id": f"id-of-{access.grant.user}", "name": access.grant.user,
                "scopes": access.grant.scopes}  # fmt: skip

    def control(self, wish: dict[str, object]) -> None:
        if wish.pop("revoke", False):
            for grant in {id(each): each for each in self._grants()}.values():
                grant.over = True
        if wish.pop("expire", False):
            for access in self.access.values():
                access.over = True
        dropped = wish.pop("drop", None)
        for grant in self._grants():
            grant.scopes = tuple(scope for scope in grant.scopes if scope != dropped)
        for name, value in wish.items():
            setattr(self, name, value)

    def _grants(self) -> Iterator[GrantOf]:
        yield from self.refresh.values()
        yield from (access.grant for access in self.access.values())

    def _authenticate(self, form: Mapping[str, str]) -> None:
        shown = form.get("client_id") == self.client_id
        if not shown or form.get("client_secret") != self.client_secret:
            raise Refused("invalid_client", HTTPStatus.UNAUTHORIZED)

    def _refresh(self, token: str) -> Mapping[str, object]:
        grant = self.refresh.get(token)
        if grant is None and token in self.spent:
            self.spent[token].over = True  # somebody has a copy: RFC 9700 4.14.2
        if grant is None or grant.over:
            raise Refused("invalid_grant")
        if not self.rotate:
            return self._issue(grant, refresh=None)
        self.spent[token] = self.refresh.pop(token)
        return self._issue(grant, refresh=secrets.token_urlsafe(24))

    def _issue(self, grant: GrantOf, *, refresh: str | None) -> Mapping[str, object]:
        token = f"fake-access-{secrets.token_urlsafe(24)}"
        self.access[token] = Access(grant, time.monotonic() + self.lifetime_seconds)
        answer: dict[str, object] = {
            "access_token": token, "token_type": "Bearer",
            "expires_in": self.lifetime_seconds, "scope": " ".join(grant.scopes),
        }  # fmt: skip
        if refresh is not None:
            self.refresh[refresh] = grant
            answer["refresh_token"] = refresh
        return answer
