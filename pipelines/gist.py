"""What a text of prose says in short: its best sentences and its key phrases, by counting words.

Sentences that hold many of the text's frequent words come first, and earlier ones before later
ones: the first paragraph of a page says what the page is about.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import sqrt

_MOST_SENTENCES = 80  # of those, the best are chosen
_CHOSEN = 3
_FEWEST_WORDS = 4  # less is a label
_MOST_WORDS = 60  # more is a table or a list
_LONGEST_PHRASE = 3
_SHORTEST_WORD = 3
_HALVES_AFTER = 8  # sentences later, a sentence counts half

_WORD = re.compile(r"[^\W\d_][\w'’-]*")  # noqa: RUF001
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|(?<=[。！？])|\n\s*\n")  # noqa: RUF001
_PART_END = re.compile(r"[^\w\s'’-]+|\n\s*\n")  # noqa: RUF001

_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[a-zA-Z][^<>]{0,300}>", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,500}(?:\s[^()]{0,200})?\)")
_ROLE = re.compile(r":[a-z:+-]{1,40}:`~?([^`<\n]{1,200})[^`\n]{0,200}`_{0,2}")
_ADDRESS = re.compile(r"\b(?:https?|ftp)://\S+")
# Headings, rules, tables, directives, quoted replies, fields: lines that are no sentences.
_NO_SENTENCE = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t].*|[|>+].*|\.\.[ \t].*|:[\w -]+:.*|[\w-]+:[ \t]\S*|([^\w\s])\1{2,}.*)$"
    r"|^.*\n[ \t]*([=\-~^\"*+])\2{2,}[ \t]*$",
    re.MULTILINE,
)
_BULLET = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+", re.MULTILINE)
_EMPHASIS = re.compile(r"\*{1,3}|`+|(?<!\w)_{1,2}|_{1,2}(?!\w)")


def sentences_only(text: str) -> str:
    """Without the markup, the code and the tables around the sentences."""
    text = text.replace("\r\n", "\n")
    for pattern, left in (
        (_FENCE, "\n"),
        (_TAG, " "),
        (_NO_SENTENCE, "\n"),
        (_LINK, r"\1"),
        (_LINK, r"\1"),  # a badge is an image within a link
        (_ROLE, r"\1"),
        (_ADDRESS, ""),
        (_BULLET, "\n\n"),
        (_EMPHASIS, ""),
    ):
        text = pattern.sub(left, text)
    return text


def best_sentences(text: str, *, longest: int) -> str:
    """One to three sentences in their order, within ``longest`` characters."""
    sentences = _sentences(text)
    words = [_content(sentence) for sentence in sentences]
    often = Counter(word for found in words for word in set(found))
    ranked = sorted(
        range(len(sentences)), key=lambda i: (-_centrality(words[i], often, i, len(sentences)), i)
    )
    chosen: list[int] = []
    left = longest
    for index in ranked:
        if len(chosen) < _CHOSEN and len(sentences[index]) < left:
            chosen.append(index)
            left -= len(sentences[index]) + 1
    return " ".join(sentences[i] for i in sorted(chosen))


def key_phrases(text: str, *, most: int) -> list[str]:
    """Words that stand together between stop words, the frequent ones first (RAKE's idea)."""
    candidates = [*_candidates(text)]
    often = Counter(word for candidate in candidates for word in set(candidate.lower().split()))
    together = Counter(candidate.lower() for candidate in candidates)
    written: dict[str, str] = {}
    for candidate in candidates:
        written.setdefault(candidate.lower(), candidate)

    def weight(phrase: str) -> float:
        parts = phrase.split()
        return together[phrase] * sum(often[part] for part in parts) / sqrt(len(parts))

    ranked = sorted(written, key=lambda phrase: (-weight(phrase), phrase))
    return [written[phrase] for phrase in _distinct(ranked, most)]


def _sentences(text: str) -> list[str]:
    found: list[str] = []
    for part in _SENTENCE_END.split(text):
        sentence = " ".join((part or "").split())
        if _FEWEST_WORDS <= sentence.count(" ") + 1 <= _MOST_WORDS and sentence not in found:
            found.append(sentence)
        if len(found) == _MOST_SENTENCES:
            break
    return found


def _content(sentence: str) -> list[str]:
    return [word for word in _WORD.findall(sentence.lower()) if word not in STOP_WORDS]


def _centrality(words: Sequence[str], often: Counter[str], place: int, of: int) -> float:
    if not words:
        return 0.0
    shared = sum(often[word] for word in set(words)) / (len(words) + _FEWEST_WORDS)
    return (1 + shared / sqrt(max(of, 1))) * _HALVES_AFTER / (_HALVES_AFTER + place)


def _candidates(text: str) -> Iterator[str]:
    for part in _PART_END.split(text):
        run: list[str] = []
        for word in [*part.split(), ""]:
            if len(word) >= _SHORTEST_WORD and word.lower() not in STOP_WORDS and _WORD.match(word):
                run.append(word)
                continue
            if 0 < len(run) <= _LONGEST_PHRASE:
                yield " ".join(run)
            run = []


def _distinct(ranked: Sequence[str], most: int) -> list[str]:
    """Without phrases that say no more than one before them."""
    kept: list[str] = []
    for phrase in ranked:
        if not any(phrase in other or other in phrase for other in kept):
            kept.append(phrase)
        if len(kept) == most:
            break
    return kept


_STOP_WORD_LIST = """
a about above after again against all also although always am an and any are aren't as at away
be became because been before being below between both but by came can can't cannot come could
did do does doesn't doing don't done down during each either else etc even ever every few first
following for from further get gets getting give given go goes going got had has hasn't have
haven't having he her here hers him his how however i if in instead into is isn't it it's its
itself just keep know last later least less let like made make makes many may me might more most
much must my need needs never new next no none nor not note now of off often on once one only
onto or other others our out over own per perhaps please put quite rather really same say says
see seen set several shall she should since so some something soon still such take than that
that's the their them then there these they this those though through thus to together too two
under until up upon us use used useful user uses using usually value very via want was way we
well were what when where whether which while who whom whose why will with within without won't
would yes yet you you'll you're your
aber als am an auch auf aus bei bin bis das dass dem den der des die dies diese doch du durch
ein eine einem einen einer er es für hat ich ihr im ist ja kann kein man mit nach nicht noch nur
oder sich sie sind so über um und uns vom von vor war was wenn wer wie wir wird zu zum zur
au aux avec ce cette ces dans de des du elle en est et il ils je la le les leur mais ne nous on
ou par pas pour que qui sa se ses son sont sur un une vous y
al como con del el ella en entre era es esta este ha hay la las lo los más me mi muy no o para
pero por que se sin sobre su sus también un una uno y ya
"""
STOP_WORDS = frozenset(_STOP_WORD_LIST.split())
