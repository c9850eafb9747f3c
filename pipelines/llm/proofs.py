"""What of an answer can be checked without believing it.

A fact stays if its quote stands in the text, an entity if its name does; a string that repeats the
instructions, and not the text, is a leak, and the answer is none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.llm.cleaning import clean
from pipelines.llm.questions import Paper
from pipelines.plain import plain

SHORTEST_QUOTE = 6  # letters and digits: fewer prove nothing
LEAK = 60
"""Characters of the instructions in a row that are no chance."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Proved:
    """``unproved`` is how many facts and entities were dropped."""

    facts: Sequence[Mapping[str, Any]]
    entities: Sequence[Mapping[str, Any]]
    unproved: int


def prove(value: Mapping[str, Any], paper: Paper) -> Proved:
    """Places are given in bytes of the whole text in UTF-8, as chunks give theirs."""
    facts = [fact for each in value["facts"] if (fact := _fact(each, paper))]
    folded = _folded(paper.clean.text)
    entities = [
        {"name": plain(each["name"], longest=120), "type": each["type"]}
        for each in value["entities"]
        if (name := _folded(each["name"])) and name in folded
    ]
    asked = len(value["facts"]) + len(value["entities"])
    return Proved(facts, entities, asked - len(facts) - len(entities))


def leaks(value: Any, instructions: str, sent: str) -> bool:
    """Whether the answer repeats the instructions where the text did not."""
    told, text = _folded(instructions), _folded(sent)
    for string in _strings(value):
        said = _folded(string)
        for start in range(0, max(0, len(said) - LEAK) + 1, LEAK // 4):
            window = said[start : start + LEAK]
            if len(window) == LEAK and window in told and window not in text:
                return True
    return False


def _fact(said: Mapping[str, Any], paper: Paper) -> Mapping[str, Any] | None:
    sent, whole = paper.clean, paper.text.text
    place = _find(clean(said["quote"]).text, sent.text)
    if place is None:
        return None
    start = paper.offset + sent.origin(place[0])
    end = paper.offset + sent.origin(place[1] - 1) + 1
    before = _bytes(whole[:start])
    return {
        "statement": plain(said["statement"], longest=300),
        "quote": sent.text[place[0] : place[1]],  # as it was sent: without secrets
        "start_byte": before,
        "end_byte": before + _bytes(whole[start:end]),
    }


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _find(quote: str, text: str) -> tuple[int, int] | None:
    """Where the quote stands. Models write one space where a text has a line break."""
    stripped = quote.strip()
    if sum(map(str.isalnum, stripped)) < SHORTEST_QUOTE:
        return None
    start = text.find(stripped)
    if start >= 0:
        return start, start + len(stripped)
    loose = r"\s+".join(re.escape(word) for word in stripped.split())
    found = re.search(loose, text)
    return found.span() if found else None


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
