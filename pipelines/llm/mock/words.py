"""What the model says: no sense, but what fits the schema, and the same with the same seed."""

import base64
import json
import math
import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

import numpy as np

from pipelines.llm.mock.plan import Plan

WORDS = ("moss", "slate", "heron", "ember", "quill", "tarn", "brisk", "ochre", "lilt", "fen")
DEPTH = 8

Json = dict[str, Any]


class Flaw(StrEnum):
    NONE = "none"
    ERROR_500 = "errors_500"
    GARBAGE = "garbage"
    WRONG_SCHEMA = "wrong_schema"
    EMPTY = "empty"
    REFUSAL = "refusals"
    TRUNCATED = "truncated"
    CUT_STREAM = "cut_streams"
    BAD_VECTORS = "bad_vectors"


def flaw(plan: Plan, chance: random.Random) -> Flaw:
    """What goes wrong with this call, by the shares of the plan."""
    drawn = chance.random()
    for each in Flaw:
        share = getattr(plan, each.value, 0.0)
        if drawn < share:
            return each
        drawn -= share
    return Flaw.NONE


def text(schema: Json | None, content: str, wrong: Flaw, chance: random.Random) -> str:
    match wrong:
        case Flaw.GARBAGE:
            return "Sure! Here is the JSON you asked for: {title: "
        case Flaw.WRONG_SCHEMA:
            return '{"unexpected": true}'
        case Flaw.EMPTY | Flaw.REFUSAL:
            return ""
        case _:
            whole = prose(chance) if schema is None else json.dumps(fitting(schema, content))
            return whole[: len(whole) // 2] if wrong is Flaw.TRUNCATED else whole


def prose(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=chance.randint(12, 60))
    return " ".join(words).capitalize() + "."


def fitting(schema: Json, content: str) -> Any:
    """A value that fits a JSON schema of the kind that structured output allows."""
    return _fitting(schema, cast(Json, schema.get("$defs", {})), content.split(), DEPTH)


def vector(told: str, dimension: int) -> list[float]:
    """Of length 1, the same for the same text."""
    chance = random.Random(told)  # noqa: S311  # nonsense, but the same each time
    numbers = [chance.gauss(0, 1) for _ in range(dimension)]
    length = math.sqrt(sum(number**2 for number in numbers))
    return [number / length for number in numbers]


def encoded(numbers: list[float]) -> str:
    """As OpenAI's SDK asks for them by default: little-endian floats in base64."""
    return base64.b64encode(np.asarray(numbers, dtype="<f4").tobytes()).decode()


def _fitting(schema: Mapping[str, Any], known: Json, words: list[str], depth: int) -> Any:
    if "$ref" in schema:
        schema = cast(Json, known[str(schema["$ref"]).rpartition("/")[2]])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _fitting(choices[0], known, words, depth)
    kinds = schema.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    return _of_kind(str(kind), schema, known, words, depth)


def _of_kind(
    kind: str, schema: Mapping[str, Any], known: Json, words: list[str], depth: int
) -> Any:
    match kind:
        case "object":
            properties = cast(Json, schema.get("properties", {}))
            return {
                name: _fitting(each, known, words, depth - 1) for name, each in properties.items()
            }
        case "array":
            fewest = int(schema.get("minItems", 1 if depth > 0 else 0))
            item = cast(Json, schema.get("items", {"type": "string"}))
            return [_fitting(item, known, words, depth - 1) for _ in range(fewest)]
        case "number" | "integer":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            told = " ".join(words[:6]) or WORDS[0]
            return told[: int(schema.get("maxLength", 200))]
