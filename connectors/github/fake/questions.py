"""A small part of GraphQL: enough to answer what the connector asks, field by field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\.\.\.|[{}():,\[\]!$]|"(?:[^"\\]|\\.)*"|-?\d+|\w+|=')


@dataclass(slots=True)
class Field:
    """A field that is asked for. ``arguments`` have their variables filled in."""

    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    fields: "list[Field]" = field(default_factory=list["Field"])

    def answered(self, value: object) -> Any:
        """What of a value was asked for. A callable in it takes the arguments."""
        if callable(value):
            value = value(self)
        if isinstance(value, list):
            return [self.answered(each) for each in value]
        if not isinstance(value, Mapping) or not self.fields:
            return value
        return {each.alias: each.answered(value.get(each.name)) for each in self.fields}


def parse(query: str, variables: Mapping[str, object]) -> Sequence[Field]:
    """The fields of the one operation of a query. Raises ``ValueError``."""
    reader = _Reader(_TOKEN.findall(query), variables)
    while reader.peek() != "{":
        if reader.take() == "(":
            reader.skip_to(")")
    return reader.selection()


@dataclass(slots=True)
class _Reader:
    tokens: list[str]
    variables: Mapping[str, object]
    at: int = 0

    def peek(self) -> str:
        if self.at >= len(self.tokens):
            raise ValueError("the query ends too early")
        return self.tokens[self.at]

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def skip_to(self, end: str) -> None:
        while self.take() != end:
            pass

    def selection(self) -> list[Field]:
        self.take()
        fields: list[Field] = []
        while self.peek() != "}":
            if self.peek() == "...":
                self.at += 3  # "... on Type": what it is not of, is not there either
                fields += self.selection()
            else:
                fields.append(self.field())
        self.take()
        return fields

    def field(self) -> Field:
        alias = name = self.take()
        if self.peek() == ":":
            self.take()
            name = self.take()
        asked = Field(name, alias)
        if self.peek() == "(":
            asked.arguments = self.mapping("(", ")")
        if self.peek() == "{":
            asked.fields = self.selection()
        return asked

    def mapping(self, start: str, end: str) -> dict[str, Any]:
        if self.take() != start:
            raise ValueError(f"{start} expected")
        found: dict[str, Any] = {}
        while self.peek() != end:
            if self.peek() == ",":
                self.take()
                continue
            name = self.take()
            self.take()
            found[name] = self.value()
        self.take()
        return found

    def value(self) -> Any:
        word = self.peek()
        if word == "{":
            return self.mapping("{", "}")
        self.take()
        if word == "$":
            return self.variables.get(self.take())
        if word.startswith('"'):
            return word[1:-1]
        return int(word) if re.fullmatch(r"-?\d+", word) else word
