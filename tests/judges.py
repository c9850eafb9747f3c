"""GitHub's own descriptions as judges of what the fake answers and of what the connector asks."""

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
from graphql import build_schema, parse, validate

SAMPLES = Path(__file__).parent / "samples" / "github"


@dataclass(slots=True)
class Judge:
    """Raises ``AssertionError`` for what GitHub would not say; remembers the paths it judged."""

    judged: set[str] = field(default_factory=set[str])
    _schemas: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        described = json.loads(gzip.decompress((SAMPLES / "rest.json.gz").read_bytes()))
        for path, schema in described["paths"].items():
            validator = jsonschema_rs.validator_for({**schema, "$defs": described["$defs"]})
            self._schemas[path] = validator

    def __call__(self, method: str, path: str, body: object) -> None:
        if method != "GET":
            return
        for template, validator in self._schemas.items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                errors = [
                    f"{list(e.instance_path)}: {e.message}" for e in validator.iter_errors(body)
                ]
                assert errors == [], (path, errors[:3])
                self.judged.add(template)
                return


def wrong_in(query: str) -> list[str]:
    """What GitHub's schema has against a query."""
    schema = build_schema((SAMPLES / "schema.graphql").read_text())
    return [error.message for error in validate(schema, parse(query))]
