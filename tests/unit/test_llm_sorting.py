"""Every refusal of a provider is sorted into what to do about it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.errors import explain
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
    SpentForToday,
    TooLong,
    Verdict,
)
from pipelines.llm.sorting import sort

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def sorted_error(
    status: int, body: Any = "", headers: Mapping[str, str] | None = None
) -> ModelError:
    text = body if isinstance(body, str) else json.dumps(body)
    return sort(status=status, body=text, headers=headers or {}, model="m", now=NOW)


def error(message: str = "", **fields: Any) -> Mapping[str, Any]:
    return {"error": {"message": message, **fields}}


CASES = [
    (429, error(code="rate_limit_exceeded"), Paced),
    (429, "", Paced),
    (429, error(code="slow_down"), Ramping),
    (429, error("This would exceed your acceleration limit", type="rate_limit_error"), Ramping),
    (429, error(code="insufficient_quota", type="insufficient_quota"), CreditExhausted),
    (429, error(code="credit_balance_exhausted"), CreditExhausted),
    (429, error(code="project_spend_limit_exceeded"), CreditExhausted),
    (429, error(code="organization_usage_limit_exceeded"), CreditExhausted),
    (429, error(details={"error_code": "enforced_spend_limit_reached"}), CreditExhausted),
    (402, error("Payment required"), CreditExhausted),
    (429, "INSUFFICIENT QUOTA", Paced),
    (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], Paced),
    (401, error(code="invalid_api_key"), KeyRefused),
    (400, [{"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}], CallRejected),
    (400, error("API_KEY_INVALID: not valid"), KeyRefused),
    (403, error("You have no access to the model `m`: model not found"), ModelUnknown),
    (403, error("Country not supported"), KeyRefused),
    (404, error(code="model_not_found"), ModelUnknown),
    (404, error("The model `m` has been deprecated"), ModelUnknown),
    (410, "", ModelUnknown),
    (400, error("The model m has been decommissioned"), ModelUnknown),
    (404, "<html>nginx</html>", AddressWrong),
    (405, "", AddressWrong),
    (301, "", AddressWrong),
    (500, "", ProviderDown),
    (502, "<html>bad gateway</html>", ProviderDown),
    (503, error(code="server_is_overloaded"), ProviderDown),
    (529, error(type="overloaded_error"), ProviderDown),
    (408, "", AnswerLost),
    (409, "", AnswerLost),
    (413, "", TooLong),
    (400, error(code="context_length_exceeded"), TooLong),
    (400, error("the request exceeds the available context size"), TooLong),
    (500, error(type="exceed_context_size_error"), TooLong),
    (400, error("Invalid schema for response_format"), NotSupported),
    (400, error(param="max_completion_tokens", code="unsupported_parameter"), NotSupported),
    (400, error(code="content_filter"), Refused),
    (400, error(code="content_policy_violation"), Refused),
    (400, error("something else"), CallRejected),
    (418, "teapot", CallRejected),
]


@pytest.mark.parametrize(("status", "body", "kind"), CASES, ids=lambda value: str(value)[:60])
def test_a_refusal_is_sorted_by_what_to_do(status: int, body: Any, kind: type[ModelError]) -> None:
    assert type(sorted_error(status, body)) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "Wed, 25 Nov 2026 12:01:30 GMT"}, 90),
        ({"retry-after": "Wed, 25 Nov 2026 11:00:00 GMT"}, 0),
    ],
)
def test_the_wait_is_read_from_headers(headers: Mapping[str, str], seconds: float) -> None:
    assert sorted_error(429, "", headers).retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("told", ["soon", "-", "", "1e400", "nan"])
def test_a_wait_that_says_nothing_is_none(told: str) -> None:
    assert sorted_error(429, "", {"retry-after": told}).retry_after is None


def test_the_wait_is_read_from_geminis_body() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}

    found = sorted_error(429, [{"error": {"code": 429, "details": [detail]}}])

    assert found.retry_after == timedelta(seconds=36)


def test_a_long_wait_gives_the_worker_back() -> None:
    found = sorted_error(429, "", {"retry-after": "3600"})

    assert (type(found), found.verdict) == (SpentForToday, Verdict.WAIT)


def test_a_quota_without_a_code_waits_long_but_does_not_ask_anybody() -> None:
    found = sorted_error(429, error("You exceeded your current quota, check billing"))

    assert (type(found), found.retry_after) == (Paced, timedelta(minutes=1))


def test_neither_what_was_sent_nor_the_key_is_in_the_message() -> None:
    found = sorted_error(401, error("Incorrect API key provided: sk-verysecret, body: Dear John"))

    assert "sk-verysecret" not in repr(found) + str(found.reply)
    assert "Dear John" not in repr(found) + str(found.reply)


def test_only_headers_about_limits_are_kept() -> None:
    headers = {"X-RateLimit-Limit-Tokens": "9", "Set-Cookie": "a=b", "X-Request-Id": "r1"}

    found = sorted_error(500, "", headers)

    assert found.reply.headers == {"x-ratelimit-limit-tokens": "9", "x-request-id": "r1"}
    assert found.reply.request_id == "r1"


@pytest.mark.parametrize("kind", sorted({kind for _, _, kind in CASES}, key=str))
def test_a_user_is_told_what_to_do(kind: type[ModelError]) -> None:
    told = explain(kind("It went wrong", model="m"))

    assert told.detail == "It went wrong"
    assert told.action.endswith(".")
