"""A gateway that answers what it is told to: for tests, of ours and of those who build on us."""

import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.llm.errors import AnswerLost, ModelError
from pipelines.llm.gateway import Answer, Call, EmbeddingCall, Embeddings, Piece, Provenance, Usage

Reaction = Mapping[str, Any] | ModelError
"""An answer's value, or what is raised instead of it."""


@dataclass(slots=True)
class ScriptedGateway:
    """Reacts to each call with the next of ``script``, then with what ``otherwise`` says of it.

    Tokens are counted as one for four characters, so that what is billed can be foretold.
    """

    otherwise: Callable[[Call], Reaction] | None = None
    script: deque[Reaction] = field(default_factory=deque[Reaction])
    asked: list[Call] = field(default_factory=list[Call])
    embedded: list[EmbeddingCall] = field(default_factory=list[EmbeddingCall])
    dimension: int = 8
    vectors: Callable[[EmbeddingCall], Embeddings | ModelError] | None = None

    def then(self, *reactions: Reaction) -> "ScriptedGateway":
        self.script.extend(reactions)
        return self

    async def ask(self, call: Call) -> Answer:
        self.asked.append(call)
        reaction = self._next(call)
        if isinstance(reaction, ModelError):
            raise reaction
        return Answer(reaction, _provenance(call, len(str(reaction))))

    async def stream(self, call: Call) -> AsyncGenerator[Piece]:
        """The words of the answer's ``text``, one a piece; an error comes after the first word."""
        self.asked.append(call)
        reaction = self._next(call)
        if isinstance(reaction, ModelError):
            yield Piece("Once ")
            raise reaction
        text = str(reaction["text"])
        for word in _words(text):
            yield Piece(word)
        yield Piece(provenance=_provenance(call, len(text)))

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """Vectors that differ with the text, and are equal for equal texts."""
        self.embedded.append(call)
        if self.vectors is not None:
            made = self.vectors(call)
            if isinstance(made, ModelError):
                raise made
            return made
        dimension = call.dimension or self.dimension
        rows = np.zeros((len(call.texts), dimension), dtype=np.float32)
        for row, text in zip(rows, call.texts, strict=True):
            for character in text:
                row[ord(character) % dimension] += 1
        usage = Usage(input=sum(map(len, call.texts)) // 4)
        return Embeddings(rows, Provenance(model=call.model, usage=usage))

    def _next(self, call: Call) -> Reaction:
        if self.script:
            return self.script.popleft()
        if self.otherwise is None:
            return AnswerLost("the script is at its end", model=call.model)
        return self.otherwise(call)


def reads(call: Call) -> Reaction:
    """Reads as well as can be without a model: first lines for titles, first words for facts."""
    asked = json.loads(call.content)
    if call.caller.purpose == "merge":
        first = asked["parts"][0]
        return {**{key: first[key] for key in _HEAD}, "topics": first["phrases"], "language": "en"}
    return {"documents": [_read(document) for document in asked["documents"]]}


def _read(document: Mapping[str, str]) -> Mapping[str, Any]:
    text = document["text"].strip()
    line, start = text.partition("\n")[0], " ".join(text.split()[:6])
    return {
        "id": document["id"],
        "kind": "note",
        "title": line[:80],
        "summary": text[:200],
        "topics": text.split()[:2],
        "entities": [{"name": word, "type": "other"} for word in text.split()[-1:]],
        "facts": [{"statement": f"It says: {start[:200]}", "quote": start[:300]}],
        "importance": 3,
        "language": "en",
    }


_HEAD = ("kind", "title", "summary", "importance")


def _words(text: str) -> Iterable[str]:
    return (f"{word} " for word in text.split())


def _provenance(call: Call, characters: int) -> Provenance:
    asked = len(call.instructions) + len(call.content)
    return Provenance(
        model=call.model, usage=Usage(input=asked // 4, output=max(1, characters // 4))
    )
