"""Questions of runs as a terminal has them: said in words, and answered in words. No I/O here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.schemas import Json, QuestionView
from api.words import clean

Schema = Mapping[str, Any]


class NotAnAnswer(ValueError):
    """What was typed is neither one JSON object nor ``key=value``."""


def asked(message: str, question: QuestionView) -> Iterator[str]:
    """The question, what it is about, and a line for each field of its answer."""
    yield clean(message)
    if question.about is not None:
        yield f"  about: {clean(json.dumps(question.about, ensure_ascii=False))}"
    fields = fields_of(question.answer_schema)
    if not fields:
        yield f"  {clean(json.dumps(question.answer_schema, ensure_ascii=False))}"
    needed = question.answer_schema.get("required", [])
    for name, schema in fields.items():
        wish = " (may be left out)" if name not in needed else ""
        about = schema.get("description")
        yield clean(f"  {name}: {_kind(schema)}{wish}" + (f" - {about}" if about else ""))


def answer(schema: Schema, words: Sequence[str]) -> Json:
    """What was typed, as the schema would have it. Raises ``NotAnAnswer``; checks nothing else."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            whole: Json = json.loads(words[0])
        except ValueError as error:
            raise NotAnAnswer(f"That is not JSON: {error}.") from None
        return whole
    fields, given = fields_of(schema), Json()
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise NotAnAnswer(f"{word!r} is neither a JSON object nor key=value.")
        if name in given:
            raise NotAnAnswer(f"{name} is given twice.")
        given[name] = _value(fields.get(name, {}), text)
    return given


def fields_of(schema: Schema) -> Mapping[str, Schema]:
    """Each field of an object, with what it refers to put in its place."""
    defined = schema.get("$defs", {})
    return {name: _resolved(each, defined) for name, each in schema.get("properties", {}).items()}


def _resolved(field: Schema, defined: Schema) -> Schema:
    name = str(field.get("$ref", "")).removeprefix("#/$defs/")
    return {**defined.get(name, {}), **field}


def _value(field: Schema, text: str) -> Any:
    """Text where the schema takes text; else what it says as JSON, or text for it to refuse."""
    if "string" in _types(field) or any(isinstance(each, str) for each in field.get("enum", [])):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _types(field: Schema) -> list[str]:
    choices = [field, *field.get("anyOf", [])]
    return [str(each["type"]) for each in choices if "type" in each]


def _kind(field: Schema) -> str:
    if "enum" in field:
        return "one of " + ", ".join(map(str, field["enum"]))
    return " or ".join(_types(field)) or "anything"
