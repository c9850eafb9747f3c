"""What a user's words look for, in words: never a query language of a database.

A question is matched by any of its words, because nobody writes the document's words exactly; the
ranking then prefers the rare ones. Full text indexes know runs of letters and digits in lower case,
so names are taken apart the same way, and also put together, since ``append event`` may be written
``appendEvent`` where it is defined.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

TERMS_AT_MOST = 24
WORD_AT_MOST = 100  # characters: nobody looks for more, and PostgreSQL refuses words of 2 KB
PHRASES_AT_MOST = 8
READ_AT_MOST = 20_000  # characters of a query: more is a pasted file, and its start says what it is
PREFIX_AT_LEAST = 3

RUN = re.compile(r"[^\W_]+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")  # the parts of getUserName, HTTPError2
ENDING = re.compile(r"(?:ings?|ed|es|s)$")
COMMON = frozenset(
    """
    a about am an and any are as at be been but by can could did do does for from had has have how
    i if in into is it its me my no not of on or our should so some such than that the their them
    then there these they this those to us was we were what when where which who whom whose why
    will with would you your
    """.split()  # noqa: SIM905  # a hundred words are read as text
)


@dataclass(frozen=True, slots=True)
class Term:
    """One word, and what else counts as it: everything that starts with ``prefix``."""

    word: str
    prefix: str | None


@dataclass(frozen=True, slots=True)
class Terms:
    """Words of which any may match, and runs of words that count as more when together."""

    words: tuple[Term, ...]
    phrases: tuple[tuple[str, ...], ...]

    def __bool__(self) -> bool:
        return bool(self.words)


def parse(query: str) -> Terms:
    """Everything is allowed in a query. What has no letter and no digit looks for nothing."""
    names = [_runs(name) for name in query[:READ_AT_MOST].split()]
    spoken = [run.lower() for name in names for run in name]
    telling = [word for word in spoken if word not in COMMON] or spoken
    wanted = _unique([*telling, *_parts(names), *_joined(names, telling)])
    phrases = [tuple(run.lower() for run in name) for name in names if len(name) > 1]
    return Terms(
        words=tuple(Term(word, _prefix(word)) for word in _most_telling(wanted)),
        phrases=tuple(dict.fromkeys(phrases))[:PHRASES_AT_MOST],
    )


def _runs(name: str) -> list[str]:
    return [run for run in RUN.findall(name) if len(run) <= WORD_AT_MOST]


def _parts(names: Iterable[list[str]]) -> Iterator[str]:
    """The words inside camelCase names."""
    for run in (run for name in names for run in name):
        parts = PART.findall(run)
        if len(parts) > 1:
            yield from (part.lower() for part in parts if len(part) > 1)


def _joined(names: Iterable[list[str]], telling: list[str]) -> Iterator[str]:
    """Names and neighbours as one word: ``append_event``, ``append event``: ``appendevent``."""
    yield from ("".join(name).lower() for name in names if len(name) > 1)
    yield from (left + right for left, right in pairwise(telling))


def _most_telling(words: list[str]) -> list[str]:
    """The longest, when there are too many: they are the rarest."""
    if len(words) <= TERMS_AT_MOST:
        return words
    return sorted(words, key=len, reverse=True)[:TERMS_AT_MOST]


def _prefix(word: str) -> str | None:
    """Crude on purpose: ``claims``, ``claimed`` and ``claim`` find each other in most languages."""
    if word.isdigit() or len(word) < PREFIX_AT_LEAST:
        return None
    stem = ENDING.sub("", word)
    return stem if len(stem) > PREFIX_AT_LEAST else word


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(word for word in words if len(word) <= WORD_AT_MOST))
