"""Answers as they are typed at a terminal."""

from typing import Any

import pytest

from api import answering
from api.answering import NotAnAnswer

SCHEMA: dict[str, Any] = {
    "$defs": {"Tone": {"enum": ["1", "warm"], "type": "string"}},
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "pages": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "note": {"type": "string"},
        "tone": {"$ref": "#/$defs/Tone"},
    },
}


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["approved=true", "pages=3"], {"approved": True, "pages": 3}),
        (["note=3", "tone=1"], {"note": "3", "tone": "1"}),
        (["note=a=b"], {"note": "a=b"}),
        (["approved=perhaps"], {"approved": "perhaps"}),
        (['{"note": "x", "pages": null}'], {"note": "x", "pages": None}),
        (["other=[1]"], {"other": [1]}),
    ],
)
def test_a_word_is_read_as_its_field_takes_it(words: list[str], answer: object) -> None:
    assert answering.answer(SCHEMA, words) == answer


@pytest.mark.parametrize("words", [["yes"], ["{"], ["=1"], ["note=a", "note=b"], ["true"]])
def test_what_is_no_answer_in_any_way_is_refused(words: list[str]) -> None:
    with pytest.raises(NotAnAnswer):
        answering.answer(SCHEMA, words)
