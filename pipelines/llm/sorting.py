"""Which error a provider's refusal is: by status and code, by its words only where it has none.

Pure. Compatible servers put the same things in other places: the object may be under ``error``, in
a list (Gemini's compatible endpoint), or be a bare string (Scaleway); all are looked into.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from pipelines.llm.errors import (
    AddressWrong,
    AnswerLost,
    CallRejected,
    CreditExhausted,
    KeyRefused,
    ModelError,
    ModelUnknown,
    NotSupported,
    Paced,
    ProviderDown,
    Ramping,
    Refused,
    Reply,
    SpentForToday,
    TooLong,
)

LONG_WAIT = timedelta(minutes=2)
"""Asked to wait longer, it is no pacing: a day's limit, or maintenance."""

AMBIGUOUS_WAIT = timedelta(minutes=1)
"""For a 429 that speaks of a quota without a code: both a rate and a bill are called that."""

_CREDIT = re.compile(
    r"insufficient_quota|credit_balance_exhausted|_spend_limit_exceeded|"
    r"organization_usage_limit_exceeded|enforced_spend_limit_reached|billing_not_active"
)
_QUOTA = re.compile(r"insufficient.quota|out of credits?|billing", re.IGNORECASE)
_RAMP = re.compile(r"slow_down|acceleration", re.IGNORECASE)
_LENGTH = re.compile(
    r"context_length_exceeded|exceed_context_size|string_above_max_length|request_too_large|"
    r"(?:maximum|max|available)\s+context|context (?:length|size|window)|"
    r"too many (?:input )?tokens|prompt is too long|maximum input length",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"model_not_found|model_decommissioned|unknown_model|invalid_model|"
    r"\bmodel\b[^.]{0,120}(?:not exist|not found|unknown|decommission|deprecat|retired|no longer)",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content_filter|content_policy|invalid_prompt|safety|responsible_ai", re.IGNORECASE
)
_PARAMETER = re.compile(
    r"response_format|json_schema|json_object|max_completion_tokens|max_tokens|stream_options|"
    r"prompt_cache_key|dimensions|encoding_format|schema|grammar"
)
_KEY = re.compile(r"invalid_api_key|API_KEY_INVALID")
_TOLD = re.compile(r"^x-ratelimit-|^anthropic-ratelimit-|^retry-after|^x-request-id$|^request-id$")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}")
_SECONDS = re.compile(r"^(\d+(?:\.\d+)?)s$")


@dataclass(frozen=True, slots=True)
class _Said:
    code: str = ""
    kind: str = ""
    parameter: str = ""
    message: str = ""

    @property
    def codes(self) -> str:
        return f"{self.code} {self.kind}"

    @property
    def all(self) -> str:
        return f"{self.codes} {self.parameter} {self.message}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A kind, and the replies that are of it: by status, by their codes or by all they say."""

    kind: type[ModelError]
    statuses: Collection[int] = range(300, 1000)
    codes: re.Pattern[str] | None = None
    words: re.Pattern[str] | None = None

    def fits(self, status: int, said: _Said) -> bool:
        if status not in self.statuses:
            return False
        if self.codes is not None:
            return self.codes.search(said.codes) is not None
        return self.words is None or self.words.search(said.all) is not None


_OURS = range(400, 500)
_THEIRS = range(500, 1000)
_RULES = (  # the first that fits
    _Rule(CreditExhausted, {402}),
    _Rule(CreditExhausted, codes=_CREDIT),
    _Rule(KeyRefused, {401}),
    _Rule(Refused, {403}, codes=_FILTER),
    _Rule(ModelUnknown, {403}, words=_MODEL),
    _Rule(KeyRefused, {403}),
    _Rule(Ramping, {429}, words=_RAMP),
    _Rule(Paced, {429}),
    _Rule(ModelUnknown, {404}, words=_MODEL),
    _Rule(ModelUnknown, {410}),
    _Rule(AddressWrong, {*range(300, 400), 404, 405}),
    _Rule(AnswerLost, {408, 409}),
    _Rule(TooLong, {413}),
    _Rule(TooLong, _THEIRS, codes=_LENGTH),  # llama.cpp's server calls it an error of its own
    _Rule(ProviderDown, _THEIRS),
    _Rule(TooLong, _OURS, words=_LENGTH),
    _Rule(ModelUnknown, _OURS, words=_MODEL),
    _Rule(Refused, _OURS, codes=_FILTER),
    _Rule(KeyRefused, _OURS, words=_KEY),
    _Rule(NotSupported, _OURS, words=_PARAMETER),
    _Rule(CallRejected),
)
_SAYS: Mapping[type[ModelError], str] = {
    AddressWrong: "What answers at the model's address is no model provider",
    AnswerLost: "The model's provider broke the call off",
    CallRejected: "The model's provider rejected the call",
    CreditExhausted: "The account at the model's provider has no credit left",
    KeyRefused: "The model's provider does not accept the key",
    ModelUnknown: "The model's provider does not offer this model (any more)",
    NotSupported: "The model's server cannot do what was asked",
    Paced: "The model's provider is at its limit for us",
    ProviderDown: "The model's provider is not working at the moment",
    Ramping: "The model's provider asks for a slower rise",
    Refused: "The model's provider will not answer this",
    SpentForToday: "A limit of the model's provider is used up",
    TooLong: "The text is longer than the model can take",
}


def kept_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Those about limits, waiting and the request's id, in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if _TOLD.match(name)}


def request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-request-id") or headers.get("request-id")


def sort(
    *, status: int, body: str, headers: Mapping[str, str], model: str, now: datetime | None = None
) -> ModelError:
    """The error that a reply with a status of 300 or more is."""
    kept = kept_headers(headers)
    said = _said(body)
    wait = _wait(kept, body, now=now or datetime.now(UTC))
    kind = _kind(status, said, wait)
    if kind is Paced and wait is None and _QUOTA.search(said.message):
        wait = AMBIGUOUS_WAIT
    reply = Reply(
        status=status,
        code=_short(said.parameter if kind is NotSupported else said.code or said.kind),
        request_id=request_id(kept),
        retry_after=wait,
        headers=kept,
    )
    return kind(f"{_SAYS[kind]} ({_signature(status, said)})", model=model, reply=reply)


def _kind(status: int, said: _Said, wait: timedelta | None) -> type[ModelError]:
    found = next(rule.kind for rule in _RULES if rule.fits(status, said))
    if found is Paced and wait is not None and wait > LONG_WAIT:
        return SpentForToday
    return found


def _said(body: str) -> _Said:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return _Said()  # a page of a proxy: not a word of it is the provider's
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping) and "error" in value:
        value = value["error"]
    if isinstance(value, str):
        return _Said(message=value)
    if not isinstance(value, Mapping):
        return _Said()
    return _Said(
        code=_text(value.get("code")),
        kind=f"{_text(value.get('type'))} {_text(value.get('status'))} {_detail(value)}".strip(),
        parameter=_text(value.get("param")),
        message=_text(value.get("message") or value.get("detail")),
    )


def _detail(value: Mapping[str, Any]) -> str:
    details = value.get("details")
    codes = details.get("error_code") if isinstance(details, Mapping) else value.get("error_code")
    return _text(codes)


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, list | dict) else str(value)


def _wait(headers: Mapping[str, str], body: str, *, now: datetime) -> timedelta | None:
    """How long we are asked to wait: by header in ms, s or as a date, or in Gemini's body."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(timedelta(milliseconds=float(milliseconds)), timedelta())
        told = headers.get("retry-after")
        if told is None:
            return _retry_info(body)
        if told.replace(".", "", 1).isdigit():
            return timedelta(seconds=float(told))
        return max(parsedate_to_datetime(told) - now, timedelta())
    except (ValueError, OverflowError, TypeError):
        return None  # a header that says nothing is as none


def _retry_info(body: str) -> timedelta | None:
    found = re.search(r'"retryDelay"\s*:\s*"([^"]{1,20})"', body)
    seconds = _SECONDS.match(found[1]) if found else None
    return timedelta(seconds=float(seconds[1])) if seconds else None


def _signature(status: int, said: _Said) -> str:
    """What may be looked up: never the provider's sentence, which may quote the text or the key."""
    code = _short(said.code) or _short(said.kind)
    return f"{status} {code}" if code and code != str(status) else str(status)


def _short(text: str) -> str | None:
    found = _WORD.search(text)
    return found[0] if found else None
