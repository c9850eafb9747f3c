"""The document that is committed is the one the app serves, and it keeps nothing back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.accounts import ConnectionView
from api.estimates import EstimateView
from api.schemas import Hits, ReadyView, ReceiptView, RunView, Started

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    written = subprocess.run(
        [sys.executable, "-m", "api.openapi"], capture_output=True, text=True, check=True
    )
    made: dict[str, Any] = json.loads(written.stdout)
    return made


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def test_the_committed_document_is_current(document: dict[str, Any]) -> None:
    assert json.loads(FILE.read_text()) == document, "run `make openapi`"


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document)]

    assert len(names) == len(set(names)) > 0


def test_every_no_is_a_problem_with_an_example(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            [(media, content)] = answer["content"].items()
            assert media == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert all(
                str(example["value"]["status"]) == status
                for example in content["examples"].values()
            )
            assert content["examples"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    named = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}

    assert named <= schemas.keys()


def test_every_answer_has_an_example(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for content in operation["responses"].get("200", {}).get("content", {}).values():
            assert "example" in content, operation["operationId"]


@pytest.mark.parametrize(
    ("operation", "view"),
    [
        ("connect", ConnectionView),
        ("start_run", Started),
        ("estimate", EstimateView),
        ("get_run", RunView),
        ("get_receipt", ReceiptView),
        ("search", Hits),
        ("readyz", ReadyView),
    ],
)
def test_examples_are_what_they_are_examples_of(
    document: dict[str, Any], operation: str, view: Any
) -> None:
    [found] = [each for each in operations(document) if each["operationId"] == operation]
    answer = next(each for status, each in found["responses"].items() if status.startswith("2"))
    example = answer["content"]["application/json"]["example"]

    assert view.model_validate(example).model_dump(mode="json", exclude_unset=True)


def test_the_stream_is_described_in_its_three_forms(document: dict[str, Any]) -> None:
    answers = document["paths"]["/v1/runs/{run_id}/events"]["get"]["responses"]

    assert set(answers["200"]["content"]) == {
        "text/event-stream",
        "application/x-ndjson",
        "application/json",
    }
    assert "204" in answers
    assert "406" in answers
