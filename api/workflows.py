"""What workflows look like from outside, and whether an input is one they take."""

from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import Field, RootModel

from api.problems import Code, Problem
from api.schemas import Config, Json, Request, View
from storage.questions import Question
from storage.workflows import Published

CONNECTION = "connection_id"
"""An input with a field of this name is about a connection: the run goes when it goes."""

MOST_ERRORS = 20


class WorkflowView(View):
    """Something that can be asked for at POST /v1/workflows/{name}."""

    name: str
    version: int
    title: str
    description: str
    input_schema: Json = Field(description="JSON Schema of the body")
    output_schema: Json = Field(description="JSON Schema of the result")


class OutputView(View):
    """What a run has said so far; ``output`` is null until it has succeeded."""

    attempt: int
    status: str
    text: str
    items: list[Any]
    output: Any = Field(description="As the workflow's `output_schema` describes it")
    seq: int | None = Field(
        default=None, description="The event this follows; null while Redis is away"
    )


class AnswerRequest(Request):
    """The answer to a question that a run waits with."""

    question: str = Field(min_length=1, max_length=100, description="Its `name`")
    answer: Config = Field(description="As the question's `answer_schema` describes it")


class Input(RootModel[Config]):
    """As the workflow's `input_schema` describes it."""


def view(published: Published) -> WorkflowView:
    return WorkflowView.model_validate(published)


def check(published: Published, given: Json) -> None:
    """Raise a problem that names, field by field, what the workflow does not take."""
    errors = list(_errors(published.input_schema, given))
    if errors:
        raise Problem(
            Code.INVALID_REQUEST,
            f"The input is not what workflow {published.name} takes.",
            action="Change what is named; `input_schema` of the workflow says what it takes.",
            more={"errors": errors[:MOST_ERRORS]},
        )


def check_answer(question: Question, given: Any) -> None:
    """Raise a problem that names, field by field, what is no answer to this."""
    errors = list(_errors(question.schema, given))
    if errors:
        raise Problem(
            Code.INVALID_REQUEST,
            f"That is no answer to {question.name!r}.",
            action="Change what is named; the run's `reason.question` says what it takes.",
            more={"errors": errors[:MOST_ERRORS]},
        )


def _errors(schema: Mapping[str, Any], given: Any) -> Sequence[dict[str, str]]:
    found = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    ).iter_errors(given)
    return [
        {
            "field": ".".join(str(part) for part in error.absolute_path) or "body",
            "message": error.message[:300],
            "code": str(error.validator),
        }
        for error in found
    ]
