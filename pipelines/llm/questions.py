"""What a model is asked about artifacts: the form of its answer, and how many at once.

Small artifacts share a call, which saves most of what the instructions cost. Each has an id that
nobody outside can know, so that no text can name its neighbour's; and a text that speaks to
language models is asked about by itself. Texts travel in JSON strings, whose ends nobody can forge.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import re2  # type: ignore[import-untyped]  # the wheel ships no types

from pipelines.llm.cleaning import Clean
from pipelines.llm.gateway import Call, Caller, Schema
from pipelines.llm.prompts import load
from storage.profiles import Profile

READ = load("read", 1)
MERGE = load("merge", 1)

SMALL_TOKENS = 300
PACK_TOKENS = 2_400
PACK_MOST = 8
PART_TOKENS = 12_000
"""What is longer is read in parts: of longer texts models lose the middle, and it fits anywhere."""

OUTPUT_TOKENS = 1_200
OVERHEAD_TOKENS = 900  # instructions and schema
LONGEST_NAME = 200

KINDS = (
    *("article", "code", "configuration", "contract", "conversation", "data", "documentation"),
    *("email", "event", "invoice", "issue", "log", "message", "note", "plan", "presentation"),
    *("report", "specification", "test", "other"),
)
ENTITY_TYPES = ("person", "organisation", "place", "product", "project", "system", "date", "other")

_SPEAKS_TO_MODELS = re2.compile(
    r"(?i)\b(?:ignore|disregard|forget|override|bypass)\b.{0,60}\b(?:instruction|prompt|rule|above|"
    r"previous|prior|polic|everything)|"
    r"\b(?:system|developer|initial|hidden)[ _-]?(?:prompt|message|instruction)|"
    r"\byou are (?:now|an?|no longer)\b|"
    r"\b(?:as|act as|pretend to be) an? (?:ai|assistant|language)|"
    r"\b(?:ai|assistant|model|llm|chatgpt|gpt-?\d|claude|copilot|gemini)s?\b.{0,40}"
    r"\b(?:must|should|please|will|reading|shall|instruct)|"
    r"<\|?/?(?:im_|system|user|assistant|instructions?|document|end)|\[/?inst\]|###\s*(?:system|instr)|"
    r"\b(?:print|repeat|reveal|output|translate|encode|show|leak|summari[sz]e)\b.{0,40}"
    r"\b(?:your|the|these|above|all)\b.{0,30}\b(?:instruction|prompt|rule|schema|document)|"
    r'"(?:id|documents|summary|importance|facts)"\s*:|\bother documents?\b|\bprompt injection\b|'
    r"\bjailbreak|\bdan mode\b|\bset (?:the )?importance\b|"
    r"(?:ignoriere|ignorez|ignora|忽略|無視)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One artifact's. ``digest`` names its content; ``tokens`` is about how long it is."""

    digest: str
    name: str
    text: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A text as it is sent, or a part of one, which begins at ``offset`` in it."""

    text: Text
    clean: Clean
    tokens: int
    offset: int = 0
    length: int | None = None
    """In characters of the text; None: all of it."""

    @property
    def key(self) -> str:
        """What is kept of it is kept by this: its content, and which part of it."""
        if self.length is None:
            return self.text.digest
        return f"{self.text.digest}:{self.offset}+{self.length}"

    @property
    def end(self) -> int:
        return len(self.text.text) if self.length is None else self.offset + self.length

    @property
    def alone(self) -> bool:
        """Whether it may not share a call."""
        told = self.clean.hidden > 1 or _SPEAKS_TO_MODELS.search(self.clean.text)
        return bool(told) or self.tokens > SMALL_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call, and which of its ids stands for which paper."""

    call: Call
    papers: Mapping[str, Paper]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Everything about a question but the papers."""

    model: str
    profile: Profile
    caller: Caller
    token: Callable[[], str] = lambda: secrets.token_hex(4)

    @property
    def identity(self) -> str:
        """Who reads, as far as it changes what is read: model, prompt and profile."""
        return f"{self.model}|{READ.address}|{self.profile.digest}"

    def about(self, papers: Sequence[Paper], *, room: int = 1) -> Question:
        """``room`` times as much output as usual."""
        named = {f"{n}-{self.token()}": paper for n, paper in enumerate(papers, start=1)}
        documents = [
            {"id": key, "name": paper.text.name[:LONGEST_NAME], "text": paper.clean.text}
            for key, paper in named.items()
        ]
        sent = sum(paper.tokens for paper in papers)
        call = Call(
            model=self.model,
            instructions=self._instructions(READ.text),
            content=json.dumps({"documents": documents}, ensure_ascii=False),
            schema=Schema("reading", _of_all(self.profile)),
            max_output_tokens=OUTPUT_TOKENS * room * max(1, -(-len(papers) // 2)),
            input_tokens=OVERHEAD_TOKENS + sent + 30 * len(papers),
            caller=replace(self.caller, purpose="read", subject=_subject(papers)),
        )
        return Question(call=call, papers=named)

    def merging(self, name: str, parts: Sequence[Mapping[str, Any]]) -> Call:
        content = json.dumps({"name": name[:LONGEST_NAME], "parts": parts}, ensure_ascii=False)
        return Call(
            model=self.model,
            instructions=MERGE.text,
            content=content,
            schema=Schema("whole", _object(_HEAD)),
            max_output_tokens=OUTPUT_TOKENS,
            input_tokens=OVERHEAD_TOKENS + len(content) // 3,
            caller=replace(self.caller, purpose="merge"),
        )

    def _instructions(self, prompt: str) -> str:
        if not self.profile.instructions:
            return prompt
        return f"{prompt}\n\nBesides, whoever runs this index asks:\n{self.profile.instructions}"


def packed(papers: Sequence[Paper]) -> list[list[Paper]]:
    """Who shares a call with whom."""
    groups = [[paper] for paper in papers if paper.alone]
    group, room = list[Paper](), 0
    for paper in papers:
        if paper.alone:
            continue
        if len(group) == PACK_MOST or paper.tokens > room:
            group, room = [], PACK_TOKENS
            groups.append(group)
        group.append(paper)
        room -= paper.tokens
    return groups


def _subject(papers: Sequence[Paper]) -> str:
    digest = papers[0].text.digest[:12]
    return digest if len(papers) == 1 else f"{digest}+{len(papers) - 1}"


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest}


def _list(items: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": dict(items), "maxItems": most}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_HEAD: Mapping[str, Any] = {
    "kind": {"type": "string", "enum": list(KINDS)},
    "title": _text(200),
    "summary": _text(800),
    "topics": _list(_text(80), 8),
    "importance": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
    "language": _text(40),
}
_ENTITY = _object({"name": _text(120), "type": {"type": "string", "enum": list(ENTITY_TYPES)}})
_FACT = _object({"statement": _text(300), "quote": _text(400)})
_BODY: Mapping[str, Any] = {"entities": _list(_ENTITY, 12), "facts": _list(_FACT, 8)}


def _of_all(profile: Profile) -> Mapping[str, Any]:
    extracted = {"extracted": profile.schema} if profile.schema is not None else {}
    one = _object({"id": _text(40), **_HEAD, **_BODY, **extracted})
    return _object({"documents": _list(one, PACK_MOST)})
