"""What Google answers, and what it means when that is a no."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from googleapiclient.errors import HttpError  # type: ignore[import-untyped]  # no types in it

from connectors.errors import (
    ArtifactGone,
    Cause,
    ConnectorError,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceRefused,
    SourceUnavailable,
)

Answer = Mapping[str, Any]
_PACE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"})
_SPENT = frozenset({"dailyLimitExceeded", "quotaExceeded"})
_SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})


@dataclass(frozen=True, slots=True)
class Api:
    """A service of Google's. ``title`` is for people, ``path`` is where it begins at ``origin``."""

    title: str
    name: str
    version: str
    origin: str
    path: str = ""
    threads: int = 1


class PaceRefused(SourceUnavailable):
    """Google wants us to be slower, and names no time."""


class Malformed(SourceInvalid):
    """Google did not understand the question: a token that it has forgotten, mostly."""


class Empty(SourceInvalid):
    """Of a file that was asked for from its first byte on, there is none."""


class Forbidden(SourceRefused):
    """Google lets the account do much, and not this. ``reasons`` are Google's own words for it."""

    def __init__(self, message: str, reasons: frozenset[str]) -> None:
        super().__init__(message)
        self.reasons = reasons


class Unsigned(ConnectorError):
    """The token was not accepted."""

    def __init__(self) -> None:
        super().__init__("Google does not accept the token")


def answered(api: Api, answer: Any) -> Answer:
    """Google's client hands on what is no JSON as it is: a page of a proxy, say."""
    if not isinstance(answer, dict):
        raise SourceUnavailable(f"{api.title} answered with something that is not of its own")
    return answer


def translated(api: Api, error: HttpError) -> ConnectorError:
    status, reasons = int(error.resp.status), _reasons(error)
    said = f"{api.title} answered {status}: {error.reason}"[:300]
    match status:
        case 401:
            return Unsigned()
        case 404:
            return ArtifactGone(f"{api.title} does not have it any more")
        case 400 | 416:  # RFC 9110, 15.5.17
            return Malformed(said) if status == 400 else Empty(said)  # noqa: PLR2004
        case 403 if not reasons & _PACE:
            return _refused(api, reasons, said)
        case 403 | 429:
            after = error.resp.get("retry-after", "")
            wait = timedelta(seconds=int(after)) if after.isdigit() else None
            return PaceRefused(f"{api.title} wants us to be slower", retry_after=wait)
    return SourceUnavailable(said)


def _refused(api: Api, reasons: frozenset[str], said: str) -> ConnectorError:
    if reasons & _SCOPE:
        return ReauthorizationNeeded(Cause.SCOPE_REDUCED, api.title)
    if "domainPolicy" in reasons:
        return ReauthorizationNeeded(Cause.POLICY_BLOCKED, api.title)
    if reasons & _SPENT:
        return SourceUnavailable(said, retry_after=timedelta(hours=1))
    return Forbidden(said, reasons)


def _reasons(error: HttpError) -> frozenset[str]:
    try:
        told = json.loads(error.content)["error"]
        details = [*told.get("errors", ()), *told.get("details", ())]
        return frozenset([told.get("status", ""), *(each.get("reason", "") for each in details)])
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()
