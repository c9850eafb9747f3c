"""Reads without a model and without a key: what a text is called, says and is about.

It only counts and compares words, so it is exact about what stands there and knows nothing of what
it means. Whatever shows a reading shows its producer, so that nobody takes it for more.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from py3langid.langid import (  # type: ignore[import-untyped]  # the wheel ships no types
    MODEL_FILE,
    LanguageIdentifier,
)

from pipelines import gist
from pipelines.chunking.languages import is_markdown, is_prose, language_of
from pipelines.chunking.prose import headings
from pipelines.codewords import definitions, identifiers, leading_comment
from pipelines.plain import plain

PRODUCER = "extractive/1"

_LONGEST_TITLE = 200
_LONGEST_SUMMARY = 600
_LONGEST_PHRASE = 60
_MOST_PHRASES = 8
_READ = 65_536  # characters; what a text is about is said in its first 64 KB
_LANGUAGE_SAMPLE = 1_500
_FEWEST_LETTERS = 40  # in bytes, as a sign of Chinese tells as much as three; less tells nothing
_CERTAIN = 0.5
_TITLE_WITHIN = 4_000
_MOST_LISTED = 12
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Reading:
    """``language`` is a programming language by its name, or a spoken one by its ISO 639 code."""

    title: str
    summary: str
    phrases: tuple[str, ...]
    language: str | None
    producer: str


def read(text: str, *, title: str, path: str | None) -> Reading:
    """Read the start of a text. ``title`` is what its source calls it."""
    start = text[:_READ]
    name = plain(path or title, longest=_LONGEST_TITLE)
    language = language_of(path, start)
    if language is not None:
        return _code(start, name, language.name)
    if not is_prose(path):
        return _code(start, name, None)
    return _prose(start, name, markdown=is_markdown(path))


def _prose(text: str, name: str, *, markdown: bool) -> Reading:
    body = gist.sentences_only(text)
    summary = gist.best_sentences(body, longest=_LONGEST_SUMMARY)
    return Reading(
        title=_title(text, markdown=markdown) or name,
        summary=plain(summary or body.strip(), longest=_LONGEST_SUMMARY),
        phrases=_phrases(gist.key_phrases(body, most=_MOST_PHRASES)),
        language=_language(body),
        producer=PRODUCER,
    )


def _code(text: str, name: str, language: str | None) -> Reading:
    head = leading_comment(text)
    symbols = definitions(text) if language else []
    listed = ", ".join(symbols[:_MOST_LISTED])
    return Reading(
        title=plain(head.partition("\n")[0], longest=_LONGEST_TITLE) or name,
        summary=plain(head or (listed and f"Defines {listed}."), longest=_LONGEST_SUMMARY),
        phrases=_phrases(identifiers(text, symbols, most=_MOST_PHRASES)),
        language=language,
        producer=PRODUCER,
    )


def _title(text: str, *, markdown: bool) -> str:
    """The first heading of the first lines, else the first line with a word in it."""
    found = headings(text[:_TITLE_WITHIN], markdown=markdown)
    if found and (title := plain(gist.sentences_only(found[0][3]), longest=_LONGEST_TITLE)):
        return title
    word = _WORD.search(text)
    if word is None:
        return ""
    start = text.rfind("\n", 0, word.start()) + 1
    return plain(text[start:].partition("\n")[0], longest=_LONGEST_TITLE)


def _phrases(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(phrase, longest=_LONGEST_PHRASE) for phrase in found)


def _language(text: str) -> str | None:
    sample = " ".join(text[:_LANGUAGE_SAMPLE].split())
    if len("".join(filter(str.isalpha, sample)).encode()) < _FEWEST_LETTERS:
        return None
    language, certainty = _identifier().classify(sample)
    return str(language) if certainty >= _CERTAIN else None


@cache
def _identifier() -> LanguageIdentifier:
    """Takes half a second to load, so only once a process, and only where there is prose."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
