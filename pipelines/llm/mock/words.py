"""What the model says: no sense, but what fits the schema, and the same with the same seed."""

import base64
import json
import math
import random
from enum import StrEnum
from typing import Any

import numpy as np

from pipelines.llm.mock import answers
from pipelines.llm.mock.answers import WORDS
from pipelines.llm.mock.plan import Plan

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
            value = None if schema is None else answers.fitting(schema, content)
            whole = prose(chance) if value is None else json.dumps(value)
            return whole[: len(whole) // 2] if wrong is Flaw.TRUNCATED else whole


def prose(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=chance.randint(12, 60))
    return " ".join(words).capitalize() + "."


def vector(told: str, dimension: int) -> list[float]:
    """Of length 1, the same for the same text."""
    chance = random.Random(told)  # noqa: S311  # nonsense, but the same each time
    numbers = [chance.gauss(0, 1) for _ in range(dimension)]
    length = math.sqrt(sum(number**2 for number in numbers))
    return [number / length for number in numbers]


def encoded(numbers: list[float]) -> str:
    """As OpenAI's SDK asks for them by default: little-endian floats in base64."""
    return base64.b64encode(np.asarray(numbers, dtype="<f4").tobytes()).decode()
