"""What GitHub's answers mean: limits, refusals, and the words for them. No I/O.

Limits and how to keep them: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
and https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.errors import (
    Cause,
    ConnectorError,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
)
from connectors.throttle import Rate

SOURCE = "GitHub"
REST, GRAPHQL = "core", "graphql"
_MINUTE = timedelta(minutes=1)
RATES = (Rate(900, _MINUTE, REST), Rate(2_000, _MINUTE, GRAPHQL))
"""Points a minute, the secondary limit: a read costs 1, a write 5."""

READ, WRITE = 1, 5
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
_SSO_URL = re.compile(r"url=(https://[^\s;]+)")
_LIMITED = ("secondary rate limit", "abuse detection", "rate limit exceeded")
_NARROW = ("resource not accessible", "must have", "requires authentication", "scope")
_POLICY = ("ip allow list", "oauth app access restrictions", "forbids access via", "saml")
_WIDEN = "Give it read access to contents, issues, pull requests and metadata, then connect again."


class Unauthorized(ConnectorError):
    """The credential was not accepted. It may be renewed."""


class Limited(ConnectorError):
    """A limit was reached. ``until`` is when GitHub says to go on, if it says."""

    def __init__(self, message: str, until: datetime | None, pool: str | None) -> None:
        super().__init__(message)
        self.until = until
        self.pool = pool


class SwitchedOff(SourceMissing):
    """The repository does without this part of GitHub: there is nothing to read."""


class TooHeavy(SourceUnavailable):
    """GitHub gave up on a question that may be asked in smaller parts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str | None:
        return self.headers.get("etag")

    @property
    def unchanged(self) -> bool:
        return self.status == 304  # noqa: PLR2004

    @property
    def date(self) -> datetime | None:
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).astimezone(UTC)
        except ValueError:
            return None

    def json(self) -> Any:
        """The value in the body. A page of HTML in its place is a proxy's, and passes."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            kind = self.headers.get("content-type", "nothing").partition(";")[0]
            raise SourceUnavailable(f"GitHub answered {kind} that is no JSON") from error

    def listed(self) -> list[dict[str, Any]]:
        value = self.json()
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise SourceUnavailable("GitHub did not answer with a list")
        return value

    def mapped(self) -> dict[str, Any]:
        value = self.json()
        if not isinstance(value, dict):
            raise SourceUnavailable("GitHub did not answer with an object")
        return value


def next_url(headers: Mapping[str, str]) -> str | None:
    match = _NEXT.search(headers.get("link", ""))
    return match[1] if match else None


def last_page(headers: Mapping[str, str]) -> int:
    """The number of pages that a list says it has."""
    match = re.search(r'[?&]page=(\d+)[^>]*>\s*;\s*rel="last"', headers.get("link", ""))
    return int(match[1]) if match else 1


def judge(answer: Answer, *, now: datetime) -> ConnectorError | None:
    """What is wrong with an answer, as the error that says what to do; None if it is well."""
    status = answer.status
    if status < 400:  # noqa: PLR2004
        return None
    message = _message(answer)
    if status == 401:  # noqa: PLR2004
        return Unauthorized(message)
    if status in {403, 429}:
        return limit(answer, message, now=now) or _refusal(answer, message)
    if status >= 500:  # noqa: PLR2004
        return TooHeavy(f"GitHub is in trouble: it answered {status}")
    return _ABOUT.get(status, _unforeseen)(message, status)


def limit(answer: Answer, message: str, *, now: datetime) -> Limited | None:
    headers = answer.headers
    after = headers.get("retry-after", "")
    if after.isdigit():
        return Limited(message, now + timedelta(seconds=int(after)), None)
    if headers.get("x-ratelimit-remaining") == "0":
        pool = headers.get("x-ratelimit-resource", REST)
        return Limited(message, reset(headers, now=now), pool)
    if answer.status == 429 or any(sign in message.lower() for sign in _LIMITED):  # noqa: PLR2004
        return Limited(message, None, None)
    return None


def reset(headers: Mapping[str, str], *, now: datetime) -> datetime:
    """When the primary limit begins anew: at most an hour from now, whatever the clocks say."""
    stamp = headers.get("x-ratelimit-reset", "")
    until = datetime.fromtimestamp(int(stamp), UTC) if stamp.isdigit() else now + _MINUTE
    return min(max(until, now) + timedelta(seconds=1), now + timedelta(hours=1, seconds=5))


def spent(answer: Answer, *, now: datetime) -> tuple[str, datetime] | None:
    """Which pool is used up by this good answer, and until when."""
    if answer.headers.get("x-ratelimit-remaining") != "0":
        return None
    return answer.headers.get("x-ratelimit-resource", REST), reset(answer.headers, now=now)


def trouble(errors: object, *, now: datetime, headers: Mapping[str, str]) -> ConnectorError | None:
    """What is wrong with a GraphQL answer, which is 200 also when nothing is well.

    One thing among many that is not there is not wrong: it is null in the data.
    """
    for error in errors if isinstance(errors, list) else ():
        kind, message = str(error.get("type", "")), str(error.get("message", ""))[:200]
        if kind == "RATE_LIMITED" or "rate limit" in message.lower():
            return Limited(message, reset(headers, now=now), GRAPHQL)
        if kind in {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
            return _narrow(message)
        if "timeout" in message.lower() or "something went wrong" in message.lower():
            return TooHeavy("GitHub gave up on a question")
        if kind != "NOT_FOUND":
            return SourceInvalid(f"GitHub did not understand a question: {message}")
    return None


def blob_sha(content: bytes) -> str:
    """The name git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def when(text: object) -> datetime | None:
    """A date as GitHub writes it. None for what is no date."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(answer: Answer) -> str:
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    message = said.get("message") if isinstance(said, dict) else None
    return str(message or f"GitHub answered {answer.status}")[:300]


def _refusal(answer: Answer, message: str) -> ConnectorError:
    sso = answer.headers.get("x-github-sso", "")
    if sso.startswith("required"):
        url = _SSO_URL.search(sso)
        action = f"Authorise the token for the organisation at {url[1]}" if url else None
        return ReauthorizationNeeded(Cause.SSO_REQUIRED, SOURCE, action=action)
    said = message.lower()
    if any(sign in said for sign in _POLICY):
        return ReauthorizationNeeded(Cause.POLICY_BLOCKED, SOURCE, detail=message)
    if "access blocked" in said:
        return _withdrawn(message, answer.status)
    if any(sign in said for sign in _NARROW):
        return _narrow(message)
    return SourceRefused(f"GitHub refused: {message}")


def _narrow(message: str) -> ConnectorError:
    return ReauthorizationNeeded(Cause.SCOPE_REDUCED, SOURCE, detail=message, action=_WIDEN)


def _missing(message: str, status: int) -> ConnectorError:  # noqa: ARG001
    return SourceMissing(
        "GitHub has no such thing, or does not show it to this credential",
        action="Check the name; if it is private, give the credential access to it.",
    )


def _withdrawn(message: str, status: int) -> ConnectorError:  # noqa: ARG001
    return SourceInvalid(
        f"GitHub has blocked it: {message}", action="Only GitHub or its owner can lift that."
    )


def _empty(message: str, status: int) -> ConnectorError:
    if "empty" not in message.lower():
        return _unforeseen(message, status)
    return SourceInvalid(
        "The repository is empty: it has no commit", action="Push something, then start again."
    )


def _off(message: str, status: int) -> ConnectorError:  # noqa: ARG001
    return SwitchedOff(f"It is switched off or gone: {message}", action="Nothing to do.")


def _unforeseen(message: str, status: int) -> ConnectorError:
    return SourceInvalid(f"GitHub answered {status}: {message}")


_ABOUT = {404: _missing, 409: _empty, 410: _off, 451: _withdrawn}
