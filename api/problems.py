"""Every no of the api as RFC 9457 says it, with what the caller can do about it.

A code is stable: programs branch on it. Texts may change. A 500 never carries an exception's text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Code(StrEnum):
    INVALID_REQUEST = "invalid_request"
    MALFORMED_JSON = "malformed_json"
    INVALID_CURSOR = "invalid_cursor"
    UNKNOWN_CONNECTOR = "unknown_connector"
    INVALID_CONFIG = "invalid_config"
    INVALID_PROFILE = "invalid_profile"
    INVALID_SCHEDULE = "invalid_schedule"
    UNAUTHENTICATED = "unauthenticated"
    NOT_ALLOWED = "not_allowed"
    FORGED = "forged"
    FOREIGN_ORIGIN = "foreign_origin"
    TOO_MANY_REQUESTS = "too_many_requests"
    OVERLOADED = "overloaded"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    FOREIGN_HOST = "foreign_host"
    KEY_REUSED = "key_reused"
    RUN_ENDED = "run_ended"
    RUN_FAILED = "run_failed"
    RUN_STOPPING = "run_stopping"
    RUN_UNFINISHED = "run_unfinished"
    NOTHING_FAILED = "nothing_failed"
    NOT_ASKED = "not_asked"
    ANSWERED_ALREADY = "answered_already"
    DELETION_DECIDED = "deletion_decided"
    WEBHOOK_REFUSED = "webhook_refused"
    WEBHOOK_DISABLED = "webhook_disabled"
    TOO_MANY_WEBHOOKS = "too_many_webhooks"
    KEY_OVER = "key_over"
    NOT_DEPLOYED = "not_deployed"
    NO_WORKERS = "no_workers"
    SOURCE_TROUBLE = "source_trouble"
    INTERNAL = "internal"
    DATABASE_UNAVAILABLE = "database_unavailable"
    STREAM_UNAVAILABLE = "stream_unavailable"
    SETUP_INCOMPLETE = "setup_incomplete"
    NOT_READY = "not_ready"
    REFUSED = "refused"  # a status that has no code of its own


@dataclass(frozen=True, slots=True)
class Kind:
    """What all problems of a code have in common."""

    status: int
    title: str
    retryable: bool = False
    action: str | None = None


KINDS: Mapping[Code, Kind] = {
    Code.INVALID_REQUEST: Kind(422, "The request is not valid", action="Change what is named."),
    Code.MALFORMED_JSON: Kind(400, "The body is not JSON", action="Send one JSON object."),
    Code.INVALID_CURSOR: Kind(
        400, "The cursor is not valid here", action="Start again without a cursor."
    ),
    Code.UNKNOWN_CONNECTOR: Kind(
        422, "There is no such connector", action="GET /v1/connectors lists them."
    ),
    Code.INVALID_CONFIG: Kind(
        422, "The connector's configuration is not valid", action="Change what is named."
    ),
    Code.INVALID_PROFILE: Kind(
        422, "What a model should read cannot be asked for", action="Change what is named."
    ),
    Code.INVALID_SCHEDULE: Kind(
        422, "Such a schedule cannot be kept", action="Change what is named."
    ),
    Code.UNAUTHENTICATED: Kind(
        401,
        "Nobody is known to ask this",
        action="Send `Authorization: Bearer` with a key that `headwater keys create` made, "
        "or with a client token, from a page of its origin.",
    ),
    Code.NOT_ALLOWED: Kind(
        403, "The key or token may not do this", action="Use one that may, or ask for one."
    ),
    Code.FORGED: Kind(
        403,
        "It cannot be told from a forged one",
        action="Give both sides the same secret, audience and account.",
    ),
    Code.FOREIGN_ORIGIN: Kind(
        403,
        "Another site's page may not do this",
        action="Use Headwater's own page, the command line or a program.",
    ),
    Code.TOO_MANY_REQUESTS: Kind(
        429,
        "More is asked than one tenant may ask",
        retryable=True,
        action="Wait as long as Retry-After says; RateLimit tells what is left.",
    ),
    Code.OVERLOADED: Kind(
        503,
        "The server is at its limit",
        retryable=True,
        action="Wait as long as Retry-After says. Nothing was begun.",
    ),
    Code.NOT_FOUND: Kind(404, "There is no such thing", action="Check the id or the path."),
    Code.METHOD_NOT_ALLOWED: Kind(
        405, "This path does not take that method", action="Use a method named in Allow."
    ),
    Code.NOT_ACCEPTABLE: Kind(
        406,
        "None of the accepted types can be served",
        action="Accept text/event-stream, application/x-ndjson or application/json.",
    ),
    Code.PAYLOAD_TOO_LARGE: Kind(413, "The body is too large", action="Send less at once."),
    Code.UNSUPPORTED_MEDIA_TYPE: Kind(
        415, "The body's type is not taken", action="Send Content-Type: application/json."
    ),
    Code.FOREIGN_HOST: Kind(
        421,
        "This server does not answer for that host",
        action="Use the address it listens on, such as http://127.0.0.1:8420.",
    ),
    Code.KEY_REUSED: Kind(
        422,
        "The Idempotency-Key was used for another request",
        action="Use a new key for a new request.",
    ),
    Code.RUN_ENDED: Kind(409, "The run is over", action="Nothing to do: the run is over."),
    Code.RUN_FAILED: Kind(
        502,
        "The run did not come to a result",
        retryable=True,
        action="Look at the run: its reason and its events say why.",
    ),
    Code.RUN_STOPPING: Kind(
        409, "The run is being cancelled", action="Wait for its end, then start a new run."
    ),
    Code.RUN_UNFINISHED: Kind(
        409,
        "A run is not over yet",
        retryable=True,
        action="Wait for its end, or cancel it.",
    ),
    Code.NOTHING_FAILED: Kind(
        409,
        "There is nothing to try again",
        action="Nothing to do. Start a new run to look for changes.",
    ),
    Code.NOT_ASKED: Kind(409, "The run does not ask that", retryable=True),
    Code.ANSWERED_ALREADY: Kind(409, "It was answered otherwise before"),
    Code.DELETION_DECIDED: Kind(409, "It is decided already"),
    Code.WEBHOOK_REFUSED: Kind(
        422,
        "No webhook may be there",
        action="Use an https URL that is reachable from the internet; or, if it is in your own "
        "network, let the operator allow that in HEADWATER_EGRESS_NETWORKS.",
    ),
    Code.WEBHOOK_DISABLED: Kind(
        409, "The webhook is disabled", action="PUT it with `enabled`: true first."
    ),
    Code.TOO_MANY_WEBHOOKS: Kind(
        409, "One tenant cannot have more webhooks", action="Delete one that nobody needs."
    ),
    Code.KEY_OVER: Kind(409, "The key opens nothing any more", action="Make another one."),
    Code.NOT_DEPLOYED: Kind(409, "No version is active", action="Activate a version first."),
    Code.NO_WORKERS: Kind(
        409,
        "No worker has that version",
        retryable=True,
        action="Start one with HEADWATER_VERSION set to it, or send `force`.",
    ),
    Code.SOURCE_TROUBLE: Kind(422, "The source cannot be read as it is"),
    Code.INTERNAL: Kind(
        500,
        "Something went wrong in Headwater",
        retryable=True,
        action="Try again; if it stays, look for the request id in the log.",
    ),
    Code.DATABASE_UNAVAILABLE: Kind(503, "The database does not answer", retryable=True),
    Code.STREAM_UNAVAILABLE: Kind(503, "Redis does not answer", retryable=True),
    Code.SETUP_INCOMPLETE: Kind(503, "This installation cannot serve yet", retryable=True),
    Code.NOT_READY: Kind(503, "Headwater is not ready", retryable=True),
    Code.REFUSED: Kind(400, "The request was refused"),
}


@dataclass(slots=True)
class Problem(Exception):
    """A no, raised anywhere below a route. ``more`` are extension members of the document."""

    code: Code
    detail: str
    action: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def document(self, request_id: str) -> dict[str, Any]:
        kind = KINDS[self.code]
        status = self.status or kind.status
        title = kind.title if self.status is None else HTTPStatus(status).phrase
        return {
            "type": f"urn:headwater:problem:{self.code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": self.code,
            "retryable": kind.retryable,
            "action": self.action or kind.action,
            "request_id": request_id,
            **self.more,
        }

    def response(self, request_id: str) -> JSONResponse:
        document = self.document(request_id)
        headers = {"Cache-Control": "no-store", **self.headers}
        if document["status"] == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.setdefault("Retry-After", "2")
        return JSONResponse(document, document["status"], headers, MEDIA_TYPE)
