"""What went wrong below the routes, as problems."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api.problems import Code, Problem
from storage.errors import (
    AnsweredAlready,
    DatabaseUnavailable,
    DeletionDecided,
    KeyReused,
    NotAsked,
    NotDeployed,
    NothingFailed,
    Refused,
    RunEnded,
    RunStopping,
    RunUnfinished,
    ScheduleInvalid,
    SetupError,
    StreamUnavailable,
)

log = structlog.get_logger()
BY_STATUS = {
    401: Code.UNAUTHENTICATED,
    403: Code.NOT_ALLOWED,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    406: Code.NOT_ACCEPTABLE,
    413: Code.PAYLOAD_TOO_LARGE,
    429: Code.TOO_MANY_REQUESTS,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
}
CONFLICTS: Mapping[type[Refused], Code] = {
    RunEnded: Code.RUN_ENDED,
    RunStopping: Code.RUN_STOPPING,
    RunUnfinished: Code.RUN_UNFINISHED,
    NothingFailed: Code.NOTHING_FAILED,
    DeletionDecided: Code.DELETION_DECIDED,
    NotDeployed: Code.NOT_DEPLOYED,
    NotAsked: Code.NOT_ASKED,
    AnsweredAlready: Code.ANSWERED_ALREADY,
    ScheduleInvalid: Code.INVALID_SCHEDULE,
}


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _handle)
    app.add_exception_handler(HTTPException, _handle)
    app.add_exception_handler(RequestValidationError, _handle)
    app.add_exception_handler(DatabaseUnavailable, _handle)
    app.add_exception_handler(StreamUnavailable, _handle)
    app.add_exception_handler(SetupError, _handle)
    app.add_exception_handler(KeyReused, _handle)
    for conflict in CONFLICTS:
        app.add_exception_handler(conflict, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    problem = as_problem(error, request)
    return problem.response(request.state.request_id)


def as_problem(error: Exception, request: Request) -> Problem:
    match error:
        case Problem():
            return error
        case HTTPException():
            return _refused(error, request)
        case RequestValidationError():
            return _invalid(error.errors())
        case DatabaseUnavailable() | StreamUnavailable() | SetupError():
            return _unavailable(error)
        case KeyReused():
            return Problem(Code.KEY_REUSED, "This Idempotency-Key came with another body before.")
        case Refused() if type(error) in CONFLICTS:
            return Problem(CONFLICTS[type(error)], str(error), action=error.action)
        case _:
            raise error


def invalid_config(error: ValidationError) -> Problem:
    """What a connector's own model says of its configuration."""
    faults = [_fault(("config", *each["loc"]), each) for each in error.errors(include_input=False)]
    return Problem(Code.INVALID_CONFIG, _sentence(faults), more={"errors": faults})


def _refused(error: HTTPException, request: Request) -> Problem:
    headers = dict(error.headers or {})
    code = BY_STATUS.get(error.status_code)
    match code:
        case Code.NOT_FOUND:
            return Problem(code, f"Nothing is at {request.url.path}.", headers=headers)
        case Code.METHOD_NOT_ALLOWED:
            detail = f"{request.url.path} does not take {request.method}."
            allow = _allowed(request, headers.get("Allow", "GET"))
            return Problem(code, detail, headers={**headers, "Allow": allow})
        case None:
            phrase = HTTPStatus(error.status_code).phrase
            return Problem(Code.REFUSED, f"{phrase}.", status=error.status_code, headers=headers)
        case _:
            return Problem(code, f"{HTTPStatus(error.status_code).phrase}.", headers=headers)


def _allowed(request: Request, known: str) -> str:
    """Every method of the path. The router only knows those of the first route that fits."""
    for template, operations in request.app.openapi()["paths"].items():
        if compile_path(template)[0].fullmatch(request.url.path):
            return ", ".join(sorted(method.upper() for method in operations))
    return known


def _unavailable(error: DatabaseUnavailable | StreamUnavailable | SetupError) -> Problem:
    log.warning("request.unavailable", cause=type(error).__name__, detail=str(error))
    match error:
        case DatabaseUnavailable():
            code, detail = Code.DATABASE_UNAVAILABLE, "The database does not answer."
        case StreamUnavailable():
            code, detail = Code.STREAM_UNAVAILABLE, "Redis does not answer."
        case _:
            code, detail = Code.SETUP_INCOMPLETE, "This installation cannot serve as it is."
    return Problem(code, f"{detail} Nothing is lost.", action=error.action)


def _invalid(errors: Sequence[Any]) -> Problem:
    first = errors[0]
    if first["loc"][:1] == ("path",):  # an id that no id can be
        return Problem(Code.NOT_FOUND, f"No such {str(first['loc'][-1]).removesuffix('_id')}.")
    if first["type"] == "json_invalid":
        cause = first.get("ctx", {}).get("error", "it cannot be read")
        return Problem(Code.MALFORMED_JSON, f"The body is not JSON: {cause} at {first['loc'][-1]}.")
    faults = [_fault(each["loc"], each) for each in errors]
    return Problem(Code.INVALID_REQUEST, _sentence(faults), more={"errors": faults})


def _fault(place: Sequence[str | int], error: Any) -> dict[str, str]:
    """One fault in words. What was sent is not repeated: it may be a secret."""
    message = str(error["msg"]).removeprefix("Value error, ")
    return {
        "field": ".".join(str(part) for part in place),
        "message": message,
        "code": error["type"],
    }


def _sentence(faults: Sequence[dict[str, str]]) -> str:
    return " ".join(f"{each['field']}: {each['message'].rstrip('.')}." for each in faults[:5])
