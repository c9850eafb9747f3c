"""An answer that fits a JSON schema, made of the words of the question.

A question may be a JSON object with lists in it, as Headwater's are. Where the answer must have a
list of the same name, it has one item for each of the question's: under the same ``id``, and of the
words of that one's ``text`` alone. So whatever it quotes stands where it says.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

WORDS = ("moss", "slate", "heron", "ember", "quill", "tarn", "brisk", "ochre", "lilt", "fen")
DEPTH = 8
LONGEST = 200  # characters of a string that has no bound
SAID = 6  # words of a string

Json = dict[str, Any]


def fitting(schema: Json, content: str) -> Any:
    """A value that fits a schema of the kind that structured output allows."""
    filler = _Filler(cast(Json, schema.get("$defs", {})), _question(content), content.split())
    return filler.value(schema, DEPTH)


def items(content: str) -> Iterator[str]:
    """The texts in the lists of a question."""
    for each in _question(content).values():
        yield from (str(item["text"]) for item in _objects(each) if "text" in item)


@dataclass(frozen=True, slots=True)
class _Filler:
    known: Json
    question: Mapping[str, Any]
    words: Sequence[str]
    id: str | None = None

    def value(self, schema: Mapping[str, Any], depth: int, name: str = "") -> Any:
        if "$ref" in schema:
            schema = cast(Json, self.known[str(schema["$ref"]).rpartition("/")[2]])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(choices[0], depth, name)
        kinds = schema.get("type", "object")
        kind = kinds[0] if isinstance(kinds, list) else kinds
        return self._of_kind(str(kind), schema, depth, name)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], depth: int, name: str) -> Any:
        match kind:
            case "object":
                properties = cast(Json, schema.get("properties", {}))
                return {key: self.value(each, depth - 1, key) for key, each in properties.items()}
            case "array":
                return self._list(schema, depth, name)
            case "number" | "integer":
                return schema.get("minimum", 0)
            case "boolean":
                return False
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _list(self, schema: Mapping[str, Any], depth: int, name: str) -> list[Any]:
        item = cast(Json, schema.get("items", {"type": "string"}))
        if asked := _objects(self.question.get(name)):
            return [self._about(each).value(item, depth - 1) for each in asked]
        fewest = int(schema.get("minItems", 1 if depth > 0 else 0))
        return [self.value(item, depth - 1) for _ in range(fewest)]

    def _about(self, item: Mapping[str, Any]) -> "_Filler":
        words = str(item.get("text", "")).split()
        return replace(self, question={}, words=words, id=str(item.get("id", "")))

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        if name == "id" and self.id is not None:
            return self.id
        told = " ".join(self.words[:SAID]) or WORDS[0]
        return told[: int(schema.get("maxLength", LONGEST))]


def _question(content: str) -> Mapping[str, Any]:
    try:
        asked = json.loads(content)
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
