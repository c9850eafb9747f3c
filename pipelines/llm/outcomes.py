"""What comes of asking a model about a text: a reading, or why there is none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import MustWait
from pipelines.llm.errors import AnswerLost, AnswerMalformed, ModelError, VectorsInvalid
from pipelines.llm.gateway import Answer
from pipelines.llm.proofs import prove
from pipelines.llm.questions import READ, Paper, Question
from pipelines.plain import plain


@dataclass(frozen=True, slots=True)
class Read:
    """``value`` is as it is shown and kept: see ``shown``."""

    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unread:
    """No model could read it. ``passing``: any later run may. ``nonsense``: the next one may."""

    error: ModelError

    @property
    def code(self) -> str:
        return self.error.code

    @property
    def passing(self) -> bool:
        return isinstance(self.error, AnswerLost | VectorsInvalid)

    @property
    def nonsense(self) -> bool:
        return isinstance(self.error, AnswerMalformed)

    @property
    def shown(self) -> Mapping[str, str]:
        return {"code": self.code, "message": str(self.error), "action": self.error.action}


Outcome = Read | Unread | MustWait


def matched(
    question: Question, documents: Sequence[Mapping[str, Any]]
) -> list[tuple[Paper, Mapping[str, Any]]]:
    """Each paper with what was said of it, if that was once and under its own id."""
    said = Counter(each["id"] for each in documents)
    return [
        (question.papers[each["id"]], each)
        for each in documents
        if said[each["id"]] == 1 and each["id"] in question.papers
    ]


def shown(value: Mapping[str, Any], paper: Paper, answer: Answer) -> Mapping[str, Any]:
    """A reading as it is kept: what the keyless reader says too, and what only a model can."""
    proved = prove(value, paper)
    found = {
        **head_shown(value),
        "producer": READ.address,
        "model": answer.provenance.model,
        "entities": proved.entities,
        "facts": proved.facts,
        "unproved": proved.unproved,
    }
    return found | ({"extracted": value["extracted"]} if "extracted" in value else {})


def head_shown(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "kind": value["kind"],
        "title": plain(value["title"], longest=200),
        "summary": plain(value["summary"], longest=800),
        "phrases": [plain(topic, longest=80) for topic in value["topics"]],
        "importance": value["importance"],
        "language": plain(value["language"], longest=40) or None,
    }
