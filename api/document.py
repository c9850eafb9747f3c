"""The OpenAPI document: what FastAPI knows of the routes, made whole.

FastAPI knows neither our problems nor our streams. Every operation names the problems it can
answer, each as a document with its example.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import examples
from api.problems import KINDS, MEDIA_TYPE, Code, Problem
from api.streamdocument import tell_streams
from storage.scopes import Scope
from storage.workflows import Published

Document = dict[str, Any]
EVERYWHERE = (Code.FOREIGN_ORIGIN, Code.FOREIGN_HOST, Code.INTERNAL, Code.OVERLOADED)
OPERATION_CODES: Mapping[str, tuple[Code, ...]] = {
    "connect": (Code.UNKNOWN_CONNECTOR, Code.INVALID_CONFIG),
    "estimate": (Code.SOURCE_TROUBLE,),
    "begin_connecting": (Code.UNKNOWN_CONNECTOR, Code.NOT_FOUND),
    "give_token": (Code.NOT_FOUND,),
    "follow_run": (Code.NOT_ACCEPTABLE, Code.INVALID_CURSOR),
    "follow_output": (Code.NOT_ACCEPTABLE, Code.INVALID_CURSOR),
    "follow_owner": (Code.NOT_ACCEPTABLE, Code.INVALID_CURSOR),
    "run_workflow": (Code.RUN_FAILED,),
    "readyz": (Code.NOT_READY,),
    "cancel_run": (Code.RUN_ENDED,),
    "pause_run": (Code.RUN_ENDED, Code.RUN_STOPPING),
    "resume_run": (Code.RUN_ENDED, Code.RUN_STOPPING),
    "retry_failed": (Code.RUN_UNFINISHED, Code.NOTHING_FAILED),
    "answer_run": (Code.RUN_ENDED, Code.NOT_ASKED, Code.ANSWERED_ALREADY),
    "approve_deletion": (Code.DELETION_DECIDED,),
    "decline_deletion": (Code.DELETION_DECIDED,),
    "put_schedule": (Code.INVALID_SCHEDULE,),
    "create_webhook": (Code.WEBHOOK_REFUSED, Code.TOO_MANY_WEBHOOKS),
    "change_webhook": (Code.WEBHOOK_REFUSED,),
    "try_webhook": (Code.WEBHOOK_DISABLED,),
    "replay_delivery": (Code.WEBHOOK_DISABLED,),
    "replay_failed": (Code.WEBHOOK_DISABLED,),
    "rotate_key": (Code.KEY_OVER,),
    "deploy": (Code.NO_WORKERS, Code.NOT_DEPLOYED),
}
JSON = "application/json"
RUN_HEADERS = {"Location": "The run", "Retry-After": "When to look first, in seconds"}
ANSWERS_A_RUN = frozenset(
    {
        *("start_run", "cancel_run", "pause_run", "resume_run", "retry_failed"),
        *("start_workflow", "answer_run"),
    }
)
ASKS_NOBODY = frozenset({"livez", "readyz"})
PROBLEM: Document = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; texts may change. Some carry more fields.",
    "required": ["type", "title", "status", "detail", "code", "retryable", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": [str(code) for code in Code]},
        "retryable": {"type": "boolean", "description": "The same request may work later"},
        "action": {"type": ["string", "null"], "description": "What you can do about it"},
        "request_id": {"type": "string", "description": "Also in the log, and in X-Request-ID"},
        "errors": {
            "type": "array",
            "description": "What is wrong, field by field",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "message", "code")},
            },
        },
    },
}


BEARER: Document = {
    "type": "http",
    "scheme": "bearer",
    "description": (
        "A key (`headwater keys create`), or a client token in pages of its origin. A server that "
        "only its own machine can reach asks for neither."
    ),
}


def describe(app: FastAPI, scopes: Mapping[str, Scope]) -> None:
    """Make the app serve the whole document. ``scopes``: what each operation needs, by its id."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = document(app, scopes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def document(app: FastAPI, scopes: Mapping[str, Scope]) -> Document:
    made = get_openapi(
        title="Headwater",
        version=version("headwater"),
        summary="Turns a user's accounts into context an AI product can use",
        description="Ignore fields and event kinds you do not know: more will come.",
        routes=app.routes,
    )
    schemas: Document = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    made["components"]["securitySchemes"] = {"bearer": BEARER}
    for operation in _operations(made):
        scope = scopes.get(operation["operationId"])
        if scope is not None:
            operation["security"] = [{"bearer": [str(scope)]}]
        _tell_answers(operation)
        _tell_problems(operation)
    tell_streams(made, schemas)
    return made


def _operations(made: Document) -> Iterator[Document]:
    for path in made["paths"].values():
        yield from path.values()


def _tell_answers(operation: Document) -> None:
    example = examples.ANSWERS.get(operation["operationId"])
    for status, answer in operation["responses"].items():
        if status.startswith("2") and example is not None:
            answer["content"][JSON]["example"] = example
    match operation["operationId"]:
        case "get_run":
            operation["responses"]["304"] = {"description": "The ETag still holds"}
        case "connect":
            there = {**operation["responses"]["201"], "description": "It was connected already"}
            operation["responses"]["200"] = there
        case "run_workflow":
            operation["responses"]["202"] = {
                "description": "It takes longer than you would wait: the run goes on",
                "content": {
                    JSON: {
                        "schema": {"$ref": "#/components/schemas/Started"},
                        "example": examples.STARTED,
                    }
                },
                "headers": _headers(RUN_HEADERS),
            }
        case name if name in ANSWERS_A_RUN:
            operation["responses"]["202"]["headers"] = _headers(RUN_HEADERS)


def _headers(texts: Mapping[str, str]) -> Document:
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()
    }


def _tell_problems(operation: Document) -> None:
    operation["responses"].pop("422", None)
    for code in _codes(operation):
        kind = KINDS[code]
        answer = operation["responses"].setdefault(
            str(kind.status),
            {
                "description": kind.title,
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        sample = Problem(code, f"{kind.title}.").document("0b2f0e6a1c9d4f5e")
        answer["content"][MEDIA_TYPE]["examples"][str(code)] = {"value": sample}


def _codes(operation: Document) -> Iterator[Code]:
    """The problems an operation can answer, as its parameters and body let it."""
    name: str = operation["operationId"]
    places = {each["in"] for each in operation.get("parameters", [])}
    names = {each["name"] for each in operation.get("parameters", [])}
    yield from EVERYWHERE
    if "security" in operation:
        yield from (Code.UNAUTHENTICATED, Code.NOT_ALLOWED, Code.TOO_MANY_REQUESTS)
    yield from OPERATION_CODES.get(name, ())
    if name not in ASKS_NOBODY:
        yield from (Code.DATABASE_UNAVAILABLE, Code.SETUP_INCOMPLETE)
    if "path" in places or "connection_id" in names:
        yield Code.NOT_FOUND
    yield from _codes_of_body(operation, places, names)
    if "cursor" in names and not name.startswith("follow_"):
        yield Code.INVALID_CURSOR


def _codes_of_body(operation: Document, places: set[str], names: set[str]) -> Iterator[Code]:
    has_body = "requestBody" in operation
    if has_body or "query" in places or "Idempotency-Key" in names:
        yield Code.INVALID_REQUEST
    if "Idempotency-Key" in names:
        yield Code.KEY_REUSED
    if has_body or "Idempotency-Key" in names:
        yield from (Code.PAYLOAD_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)
    if has_body:
        yield Code.MALFORMED_JSON


def without_keys(made: Document) -> Document:
    """The document of a server that asks nobody for a key."""
    paths = {
        path: {
            method: {name: part for name, part in operation.items() if name != "security"}
            for method, operation in operations.items()
        }
        for path, operations in made["paths"].items()
    }
    return {**made, "paths": paths}


def with_workflows(made: Document, catalogue: Iterable[Published]) -> Document:
    """The document with the operations of each workflow, under schemas of its own."""
    paths = dict(made["paths"])
    general, start = paths["/v1/workflows/{name}"], paths["/v1/workflows/{name}/runs"]
    for each in catalogue:
        path = f"/v1/workflows/{each.name}"
        paths[path] = {
            "get": _named(general["get"], each, "get"),
            "post": _of_workflow(general["post"], each, "run", result=each.output_schema),
        }
        paths[f"{path}/runs"] = {"post": _of_workflow(start["post"], each, "start")}
    return {**made, "paths": paths}


def _of_workflow(
    general: Document, workflow: Published, verb: str, *, result: Mapping[str, Any] | None = None
) -> Document:
    operation = _named(general, workflow, verb)
    operation["requestBody"]["content"][JSON]["schema"] = dict(workflow.input_schema)
    if result is not None:
        operation["responses"]["200"]["content"][JSON] = {"schema": dict(result)}
    return operation


def _named(general: Document, workflow: Published, verb: str) -> Document:
    operation = deepcopy(general)
    operation["operationId"] = f"{verb}_workflow_{workflow.name}"
    operation["summary"] = f"{workflow.title} ({verb})"
    operation["description"] = workflow.description
    operation["parameters"] = [each for each in operation["parameters"] if each["in"] != "path"]
    return operation
